"""How many answers have labels, and what became of every label."""

from __future__ import annotations

from datetime import timedelta

from gnomon.labels.label import Label
from gnomon.labels.label_counts import LabelStatus
from gnomon.labels.label_status import EXAMPLES, label_status
from gnomon.log import InferenceLog
from gnomon.policy import LabelRules
from gnomon.settings import Settings
from tests.labels.labelled_log import CONTRACT, DAY, log_live, stored


def status(settings: Settings, *labels: Label, examples: int | None = EXAMPLES) -> LabelStatus:
    log, rules = InferenceLog(settings, "toy"), LabelRules(late_after_days=10)
    now = DAY + timedelta(days=40)
    return label_status(log, stored(*labels), CONTRACT, "toy", rules, now, examples=examples)


def test_answers_are_counted_by_age_and_labels_by_fate(settings: Settings) -> None:
    """Every label has one fate, and every answered row one age."""
    old, *_ = log_live(settings, [{"hour": 0}, {"hour": 1}, {"hour": 2, "outcome": "failed"}])
    new, newest, failed = log_live(
        settings, [{"hour": 24 * 38}, {"hour": 24 * 39.9}, {"outcome": "failed"}]
    )
    found = status(
        settings,
        Label(request_id=old, value="yes", known_at=DAY + timedelta(days=20)),
        Label(request_id=old, value="yes"),
        Label(request_id=new, value="yes", known_at=DAY),
        Label(request_id=newest, value="yes", source="desk"),
        Label(request_id=newest, value="no"),
        Label(request_id=failed, value="no"),
        Label(request_id="nobody", value="no"),
    )
    assert [(age.days, age.answered, age.labelled) for age in found.ages] == [
        ("under 1", 1, 0), ("1 to 7", 1, 1), ("7 to 30", 0, 0), ("30 to 90", 2, 1),
        ("over 90", 0, 0),
    ]  # fmt: skip
    assert found.fates == {
        "counted": 2, "duplicate": 1, "superseded": 0, "contradictory": 2, "withdrawn": 0,
        "unmatched": 2,
    }  # fmt: skip
    assert sum(found.fates.values()) == found.received == 7
    assert found.unmatched == {"not_answered": 1, "not_logged": 1}
    assert (found.late, found.early) == (1, 1)
    assert [(one.about, one.reason or one.fate, one.source) for one in found.examples] == [
        (f"{newest} row 0", "contradictory", None),
        (f"{newest} row 0", "contradictory", "desk"),
        ("nobody row 0", "not_logged", None),
        (f"{failed} row 0", "not_answered", None),
    ]
    assert found.overview().title == "toy: 2 of 4 answered rows have a label"
    assert len(found.to_frame()) == 3


def test_a_contradiction_is_shown_with_all_its_sides(settings: Settings) -> None:
    """Those of one row together, however far apart they came; all of them if that is asked for."""
    ids = log_live(settings, [{"hour": hour} for hour in range(7)])
    first = [Label(request_id=one, value="yes", source="a") for one in ids]
    second = [Label(request_id=one, value="no", source="b") for one in ids]
    strangers = [Label(request_id=f"nobody {n}", value="no") for n in range(6)]
    few = status(settings, *first, *second, *strangers).examples
    assert [one.about for one in few[:10:2]] == [f"{one} row 0" for one in ids[:1:-1]]
    assert [one.about for one in few[1:10:2]] == [f"{one} row 0" for one in ids[:1:-1]]
    assert [one.source for one in few[:10]] == ["b", "a"] * 5
    assert [one.fate for one in few[10:]] == ["unmatched"] * 5
    everything = status(settings, *first, *second, *strangers, examples=None).examples
    assert len(everything) == 14 + 6


def test_sides_that_name_their_row_differently_are_shown_with_its_request(
    settings: Settings,
) -> None:
    """So that one sees that they are about the same row; otherwise it is called as they call it."""
    by_id, by_entity = log_live(settings, [{"customer": "ann"}, {"hour": 1, "customer": "bob"}])
    ann, bob = (
        {"entity": {"customer": name}, "event_time": DAY + timedelta(hours=hour)}
        for name, hour in (("ann", 0), ("bob", 1))
    )
    found = status(
        settings,
        Label(request_id=by_id, value="yes"),
        Label(**ann, value="no"),
        Label(**bob, value="yes"),
        Label(**bob, value="no"),
    )
    bobs = f'["bob"] at {(DAY + timedelta(hours=1)).isoformat()}'
    assert [one.about for one in found.examples] == [bobs, bobs, f"{by_id} row 0", f"{by_id} row 0"]
    assert by_entity not in str(found.examples)


def test_without_labels_everything_is_zero(settings: Settings) -> None:
    """That is the state of every deployment at first."""
    log_live(settings, [{}])
    found = status(settings)
    assert (found.received, found.known_after_days, found.examples) == (0, None, ())
    assert sum(age.answered for age in found.ages) == 1
