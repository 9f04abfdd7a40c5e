from prometheus_client.parser import text_string_to_metric_families

from service.telemetry.metrics import REFUSALS, STAGES, Metrics


def test_every_series_is_there_before_the_first_event() -> None:
    metrics = Metrics()
    metrics.announce_routes([("/embed", "POST", 200)])
    families = {each.name: each for each in text_string_to_metric_families(metrics.render().decode())}
    stages = {sample.labels["stage"] for sample in families["mcse_stage_seconds"].samples}
    reasons = {sample.labels["reason"] for sample in families["mcse_refused"].samples}
    assert stages == set(STAGES)
    assert reasons == set(REFUSALS)
    assert [sample.value for sample in families["mcse_requests"].samples if sample.name.endswith("_total")] == [0.0]


def test_every_metric_is_documented() -> None:
    for family in Metrics().registry.collect():
        assert family.documentation
        assert family.name.startswith("mcse_")


def test_two_services_do_not_share_their_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.tokens.inc(5)
    assert b"mcse_tokens_total 0.0" in second.render()


def test_a_dropped_collection_disappears() -> None:
    metrics = Metrics()
    metrics.set_points({"a": 1, "b": 2})
    metrics.set_points({"b": 3})
    text = metrics.render().decode()
    assert 'collection="a"' not in text
    assert 'mcse_collection_points{collection="b"} 3.0' in text
