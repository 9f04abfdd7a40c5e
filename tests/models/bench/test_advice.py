from models.bench.advice import advise, choose, smallest_good
from models.bench.results import Rate, Results
from tests.models.bench.conftest import path


def test_the_fastest_that_stands_for_float32_is_chosen() -> None:
    paths = [path("float32", 200, 1.0), path("bfloat16", 600, 0.9998), path("int8", 900, 0.98)]
    assert choose(paths).precision == "bfloat16"


def test_where_none_is_close_the_closest_is_chosen() -> None:
    assert choose([path("bfloat16", 600, 0.95), path("int8", 900, 0.90)]).precision == "bfloat16"


def test_of_settings_that_are_nearly_as_good_the_smallest_is_taken() -> None:
    assert smallest_good([Rate(256, 400.0), Rate(1024, 590.0), Rate(4096, 600.0)]).setting == 1024


def test_advice_names_each_setting_and_what_is_faster_at_a_price(results: Results) -> None:
    said = "\n".join(results.advice)
    assert "MCSE_PRECISION=bfloat16: 600 sentences a second" in said
    assert "MCSE_PRECISION=int8 is 1.50 times as fast, at a mean cosine of 0.9900" in said
    assert "MCSE_THREADS=2: every thread" in said
    assert "MCSE_MAX_BATCH_TOKENS=1024" in said
    assert "75% of the matrix peak" in said
    assert "float32 is" not in said


def test_threads_that_add_nothing_are_left_to_another_process() -> None:
    chosen = path("float32", 200, 1.0, peak=None)
    said = "\n".join(advise([chosen], chosen, [Rate(1, 199.0), Rate(2, 200.0)], [Rate(256, 100.0), Rate(512, 200.0)]))
    assert "MCSE_THREADS=1: 2 threads are 1.01 times as fast as 1" in said
    assert "MCSE_MAX_BATCH_TOKENS=512: 200 sentences a second; the most that was tried" in said
    assert "share of the peak is not known" in said
