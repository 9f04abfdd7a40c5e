import json

import pytest

from training.evaluation.aggregate import SetScores
from training.evaluation.geometry import Geometry
from training.evaluation.scores import Scores, SetGeometry
from training.evaluation.sts import STS_SETS

DETAILS = {
    name: SetScores(80.004 + number, 70.0, 75.0, {"x": 60.0}, None if name == "SICKR" else 50.0)
    for number, name in enumerate(STS_SETS)
}
STS = {name: found.all for name, found in DETAILS.items()}


def test_pitfall_15_the_average_is_of_the_unrounded_values() -> None:
    assert Scores(sts=STS).sts_average == pytest.approx(83.004, abs=1e-9)
    rounded = Scores(sts=dict(zip(STS_SETS, (70.004, 70.004, 70.004, 70.004, 70.004, 70.004, 70.004), strict=True)))
    assert rounded.sts_average > 70.003


def test_pitfall_15_what_was_not_scored_is_left_out_and_breaks_nothing() -> None:
    assert Scores(sts={}).to_dict() == {"sts": {}, "retrieval": {}}
    transfer = Scores(sts={}, transfer={"MR": 80.0, "MRPC": 70.0, "MRPC-F1": 90.0}).to_dict()
    assert transfer["transfer_average"] == pytest.approx(75)  # of the accuracies
    assert "sts_average" not in transfer


def test_everything_that_was_scored_is_written_down() -> None:
    scores = Scores(
        sts=STS,
        retrieval={"recall@1": 20.0, "median_rank": 4.0},
        image_to_text={"recall@1": 30.0, "median_rank": 3.0},
        details=DETAILS,
        geometry={"STSB-dev": SetGeometry(whole=Geometry(0.2, -2.0), original=Geometry(0.3, -1.0))},
    )
    written = json.loads(json.dumps(scores.to_dict()))
    assert written["sts"] == STS
    assert written["sts_average"] == pytest.approx(83.004)
    assert written["retrieval"] == {"recall@1": 20.0, "median_rank": 4.0}
    assert written["image_to_text"] == {"recall@1": 30.0, "median_rank": 3.0}
    assert written["subsets"]["STS12"] == {"x": 60.0}
    assert written["aggregations"]["mean"]["average"] == pytest.approx(70)
    assert written["aggregations"]["wmean"]["SICKR"] == 75
    assert written["without_captions"] == {**dict.fromkeys(STS_SETS[:-1], 50.0), "average": 50.0}
    assert written["geometry"]["STSB-dev"]["whole"] == {"alignment": 0.2, "uniformity": -2.0}
    assert written["geometry"]["STSB-dev"]["original"] == {"alignment": 0.3, "uniformity": -1.0}
