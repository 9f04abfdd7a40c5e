"""What the figures say about the settings of the service, in words."""

from collections.abc import Sequence

from models.bench.results import Path, Rate

_ENOUGH = 0.97  # of the best rate: the smaller setting is taken, for its latency or its cores
_SAME = 0.999  # lowest cosine at which vectors stand for the float32 ones without a second thought


def choose(paths: Sequence[Path]) -> Path:
    """The fastest whose vectors are the reference's for every purpose; the closest one where none is."""
    same = [path for path in paths if path.cosine_min >= _SAME]
    if not same:
        return max(paths, key=lambda path: path.cosine_min)
    return max(same, key=lambda path: path.sentences_per_s)


def smallest_good(rates: Sequence[Rate]) -> Rate:
    """The smallest setting that is nearly as fast as the best."""
    best = max(rate.sentences_per_s for rate in rates)
    return min((rate for rate in rates if rate.sentences_per_s >= _ENOUGH * best), key=lambda rate: rate.setting)


def advise(paths: Sequence[Path], chosen: Path, threads: Sequence[Rate], budgets: Sequence[Rate]) -> tuple[str, ...]:
    """A sentence for each setting, then what else stands out."""
    return (*_precision(paths, chosen), _threads(threads), _budget(budgets), *_share(chosen))


def _precision(paths: Sequence[Path], chosen: Path) -> list[str]:
    said = [
        f"MCSE_PRECISION={chosen.precision}: {chosen.sentences_per_s:,.0f} sentences a second, "
        f"and no vector is further from float32 than a cosine of {chosen.cosine_min:.5f}."
    ]
    for path in paths:
        times = path.sentences_per_s / chosen.sentences_per_s
        if path is not chosen and times > 1:
            said.append(
                f"MCSE_PRECISION={path.precision} is {times:.2f} times as fast, at a mean cosine of "
                f"{path.cosine_mean:.4f} (lowest {path.cosine_min:.4f}): try it on your own task first."
            )
    return said


def _threads(threads: Sequence[Rate]) -> str:
    best, most = smallest_good(threads), max(threads, key=lambda rate: rate.setting)
    if best.setting == most.setting:
        return f"MCSE_THREADS={best.setting}: every thread of the encoder still adds speed."
    gain = most.sentences_per_s / best.sentences_per_s
    return (
        f"MCSE_THREADS={best.setting}: {most.setting} threads are {gain:.2f} times as fast as {best.setting}, so the "
        f"other cores do more in a second process."
    )


def _budget(budgets: Sequence[Rate]) -> str:
    best, most = smallest_good(budgets), max(budgets, key=lambda rate: rate.setting)
    why = f"a larger batch gains less than {1 - _ENOUGH:.0%} and lets short requests wait longer"
    if best.setting == most.setting:
        why = "the most that was tried; the larger the batch, the longer short requests wait"
    return f"MCSE_MAX_BATCH_TOKENS={best.setting}: {best.sentences_per_s:,.0f} sentences a second; {why}."


def _share(chosen: Path) -> list[str]:
    if chosen.share is None:
        return ["torch has no matrix product of this precision here, so the share of the peak is not known."]
    return [
        f"{chosen.share:.0%} of the matrix peak that was measured at {chosen.precision} goes into real tokens; "
        "the rest is norms, activations, attention's softmax and moving data."
    ]
