"""A bundle proves what it says, and no change of it goes unnoticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gnomon.artifact.manifest import sha256
from gnomon.artifact.signing import make_signature, public_key
from gnomon.audit import AuditReport, verify
from gnomon.audit.archive import read_archive, to_archive
from gnomon.audit.bundle import (
    INDEX,
    SIGNATURE,
    BundleIndex,
    BundleSignature,
    event_file,
    order_of,
    signed_message,
    to_json,
)
from gnomon.errors import NewerFormat
from gnomon.rollout.history import RolloutEvent
from tests.audit.conftest import PASSED, Key, Root

Files = dict[str, bytes]


def verdicts(report: AuditReport) -> dict[str, str]:
    return {check.name: check.verdict for check in report.checks}


def failures(report: AuditReport) -> dict[str, str]:
    assert report.verdict == "failed"
    return {check.name: check.says for check in report.checks if check.verdict == "failed"}


def rewritten(
    path: Path, change: Callable[[Files], None], key: Any = None, *, index: bool = True
) -> Path:
    """A copy with changed files whose index, and with a key the signature, is right again."""
    found = dict(read_archive(path))
    change(found)
    if index:
        old = msgspec.json.decode(found.pop(INDEX), type=BundleIndex)
        found.pop(SIGNATURE, None) if key else None
        rest = {name: text for name, text in found.items() if name != SIGNATURE}
        events = sorted(name for name in rest if name.startswith("events/"))
        new = msgspec.structs.replace(
            old,
            files={name: sha256(text) for name, text in rest.items()},
            sha256=sha256(rest[events[-1]]),
            epoch=old.first + len(events),
        )
        found = {INDEX: to_json(new), **found}
        if key is not None:
            signed = old.made
            message = signed_message(old.model, sha256(found[INDEX]), signed)
            signature = BundleSignature(
                key=public_key(key).line, signature=make_signature(key, message), signed=signed
            )
            found[SIGNATURE] = to_json(signature)
    other = path.with_name("changed.tar")
    other.write_bytes(to_archive((name, found[name]) for name in order_of(found)))
    return other


def test_a_signed_bundle_proves_what_it_says(root: Root, alice: Key) -> None:
    """Every check but that of the rows, which are elsewhere."""
    path = root.export(key=alice.private).path
    report = verify(path, keys=[alice.public], model="toy")
    assert report.verdict == "proven"
    assert {n for n, v in verdicts(report).items() if v != "proven"} == {"actors", "data"}
    assert (report.model, report.decisions) == ("toy", 5)
    assert report.signer == alice.public.fingerprint


def test_without_a_trusted_key_it_is_not_proven(
    root: Root, alice: Key, make_key: Callable[[str], Key]
) -> None:
    """Unsigned, signed by a key that nobody named, and by another key than the trusted one."""
    unsigned, signed = root.export("u.tar").path, root.export(key=alice.private).path
    assert verify(unsigned).verdict == verify(signed).verdict == "not_proven"
    mallory = make_key("mallory")
    assert "not a trusted key" in failures(verify(signed, keys=[mallory.public]))["signature"]
    assert "not signed" in failures(verify(unsigned, keys=[alice.public]))["signature"]


def test_every_changed_byte_is_found(root: Root, alice: Key) -> None:
    """In every region of the file: one byte in 331, and each of the signature's."""
    path = root.export(key=alice.private).path
    content = path.read_bytes()
    changed = path.with_name("changed.tar")
    signature = content.index(b'"signature": "')
    places = {*range(0, len(content), 331), *range(signature, signature + 100)}
    for place in places:
        changed.write_bytes(content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :])
        assert verify(changed, keys=[alice.public]).verdict == "failed", place


def remove(*numbers: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        kept = [files.pop(event_file(n)) for n in range(5)]
        left = [text for n, text in enumerate(kept) if n not in numbers]
        files.update({event_file(n): text for n, text in enumerate(left)})

    return change


def swap(files: Files) -> None:
    one, two = event_file(1), event_file(2)
    files[one], files[two] = files[two], files[one]


def insert(files: Files) -> None:
    files[event_file(5)] = files[event_file(4)]


def edit(files: Files) -> None:
    files[event_file(2)] = files[event_file(2)].replace(b"because", b"Because")


CHAIN_BREAKS = {
    "removed first": remove(0),
    "removed in the middle": remove(2),
    "reordered": swap,
    "inserted": insert,
    "edited": edit,
}


def test_files_in_another_order_are_not_as_they_were_written(root: Root, alice: Key) -> None:
    """The first two exchanged, two events exchanged, all reversed."""
    path = root.export(key=alice.private).path
    files = [*read_archive(path)]
    exchanged = [*files[:2], files[3], files[2], *files[4:]]
    for changed in ([files[1], files[0], *files[2:]], exchanged, files[::-1]):
        path.write_bytes(to_archive(changed))
        says = failures(verify(path, keys=[alice.public]))
        assert says == {"files": "its files are not in the order in which they were written"}


def test_a_signature_that_was_written_again_is_found(root: Root, alice: Key) -> None:
    """It is the one file that no other has the hash of."""
    path = root.export(key=alice.private).path
    files = dict(read_archive(path))
    files[SIGNATURE] = json.dumps(json.loads(files[SIGNATURE])).encode()
    path.write_bytes(to_archive(files.items()))
    assert failures(verify(path, keys=[alice.public])) == {"files": f"{SIGNATURE} was changed"}


@pytest.mark.parametrize("name", CHAIN_BREAKS)
def test_a_forger_without_the_key_cannot_change_the_history(
    root: Root, alice: Key, name: str
) -> None:
    """The chain breaks, even where the index is made right, and the signature is not of it."""
    path = root.export(key=alice.private).path
    forged = rewritten(path, CHAIN_BREAKS[name])
    found = failures(verify(forged, keys=[alice.public]))
    assert {"signature", "history"} <= found.keys()
    assert "is missing" in failures(verify(rewritten(path, remove(2), index=False)))["files"] or (
        "was changed" in failures(verify(rewritten(path, remove(2), index=False)))["files"]
    )


@pytest.mark.parametrize("name", CHAIN_BREAKS)
def test_a_forger_with_the_key_breaks_the_chain(root: Root, alice: Key, name: str) -> None:
    """Whoever signs a changed history has to rewrite all of it."""
    path = root.export(key=alice.private).path
    forged = rewritten(path, CHAIN_BREAKS[name], alice.private)
    report = verify(forged, keys=[alice.public])
    assert verdicts(report)["signature"] == "proven"
    assert next(iter(failures(report))) == "history"


def test_a_cut_end_needs_the_signature_or_an_earlier_bundle(root: Root, alice: Key) -> None:
    """A history without its end is a history: an earlier bundle tells."""
    path = root.export(key=alice.private).path
    unsigned = rewritten(path, remove(4))
    assert [*failures(verify(unsigned, keys=[alice.public]))] == ["signature"]
    signed = rewritten(path, remove(4), alice.private)
    assert verify(signed, keys=[alice.public]).verdict == "proven"
    found = failures(verify(signed, keys=[alice.public], extends=path))
    assert "events/000004.json is missing" in found["extends"]


def test_a_rewritten_history_does_not_extend_the_earlier_bundle(
    root: Root, settings: Any, alice: Key
) -> None:
    """Also where the new history is whole and signed."""
    path = root.export(key=alice.private).path
    root.decide("shadow_stop", "toy:two")
    later = root.export("later.tar", key=alice.private).path
    assert verdicts(verify(later, extends=path))["extends"] == "proven"
    other = Root(msgspec.structs.replace(settings, root=f"{settings.root}-2"), root.folder)
    for _ in range(2):
        other.decide("promote", "toy:one")
        other.decide("promote", "toy:two", forced=True)
    rewritten_later = other.export("rewritten.tar", key=alice.private).path
    found = failures(verify(rewritten_later, extends=path))
    assert "the history was rewritten" in found["extends"]
    assert "damaged" in failures(verify(later, extends=_damaged(path)))["extends"]


def test_a_bundle_that_begins_after_the_earlier_one_has_its_hash(
    root: Root, settings: Any, alice: Key
) -> None:
    """Month by month: a month that was rewritten since, or left out, is not extended."""
    events = root.history().events
    january = root.export("january.tar", end=events[2].at).path
    february = root.export("february.tar", start=events[2].at, key=alice.private).path
    march = root.export("march.tar", start=events[3].at, key=alice.private).path
    report = verify(february, keys=[alice.public], extends=january)
    assert (report.verdict, verdicts(report)["extends"]) == ("proven", "proven")
    gap = verify(march, keys=[alice.public], extends=january)
    assert (gap.verdict, verdicts(gap)["extends"]) == ("not_proven", "not_proven")
    assert "ends with decision 2, and this one begins with 4" in gap.checks[-1].says
    other = Root(msgspec.structs.replace(settings, root=f"{settings.root}-2"), root.folder)
    other.decide("promote", "toy:one")
    other.decide("shadow_start", "toy:three")
    old = other.export("old.tar").path
    found = failures(verify(february, keys=[alice.public], extends=old))
    assert "does not have the hash of the last one of the earlier bundle" in found["extends"]


def _damaged(path: Path) -> Path:
    other = path.with_name("damaged.tar")
    other.write_bytes(path.read_bytes()[:-1])
    return other


def test_the_bundle_of_another_model_is_refused(root: Root, alice: Key) -> None:
    """By its name, and where events of another model are passed off as this one's."""
    root.decide("promote", "other:one")
    other = root.export("other.tar", model="other", key=alice.private).path
    assert "about other, not about toy" in failures(verify(other, model="toy"))["model"]
    assert "is about other" in failures(verify(root.export().path, extends=other))["extends"]

    def rename(files: Files) -> None:
        files[INDEX] = files[INDEX].replace(b'"model": "other"', b'"model": "toy"')

    passed_off = verify(rewritten(other, rename, alice.private), keys=[alice.public], model="toy")
    assert "other:one is not an artifact of toy" in failures(passed_off)["decisions"]


def test_a_decision_that_does_not_follow_is_found(root: Root) -> None:
    """Where a whole chain was written by another program."""

    def chain(files: Files) -> None:
        event = RolloutEvent(kind="shadow_stop", artifact="toy:none")
        last = hashlib.sha256(files[event_file(4)]).hexdigest()
        files[event_file(5)] = to_json(msgspec.structs.replace(event, previous_sha256=last))

    found = failures(verify(rewritten(root.export().path, chain)))
    assert found == {
        "decisions": "events/000005.json does not follow from those before it: "
        "`toy:none` is not a running shadow"
    }


def test_a_promotion_with_unmet_gates_must_say_that_it_was_forced(root: Root) -> None:
    """An event that says otherwise was not written by Gnomon."""
    failed = ({**PASSED[0], "verdict": "unknown"},)
    root.decide("promote", "toy:two", gates=failed, forced=True)
    assert verdicts(verify(root.export().path))["gates"] == "proven"
    root.decide("promote", "toy:three", gates=failed)
    found = failures(verify(root.export("unmet.tar").path))
    assert "toy:three was promoted with unmet gates (rows)" in found["gates"]


@pytest.mark.parametrize(("name", "value", "limit"), [("flips", 0.9, 0.05), ("rows", 12, 1_000)])
def test_a_gate_beyond_its_limit_has_not_passed(
    root: Root, name: str, value: float, limit: float
) -> None:
    """Most limits are the largest value that passes, and some the least."""
    gate = {"name": name, "verdict": "pass", "value": limit, "limit": limit}
    root.decide("promote", "toy:two", gates=(gate,))
    assert verdicts(verify(root.export().path))["gates"] == "proven"
    root.decide("promote", "toy:three", gates=({**gate, "value": value},))
    found = failures(verify(root.export("beyond.tar").path))
    assert f"the gate {name} of toy:three is said to have passed with {value}" in found["gates"]


@pytest.mark.parametrize("approves", [1, 7, 99])
def test_what_is_approved_was_proposed_before(root: Root, approves: int) -> None:
    """Not an event of another kind, the promotion itself, or one that is still to come."""
    root.decide("propose", "toy:two", gates=PASSED)
    root.decide("promote", "toy:two", gates=PASSED, approves=6)
    assert verdicts(verify(root.export().path))["decisions"] == "proven"
    root.decide("shadow_start", "toy:three")
    root.decide("promote", "toy:three", gates=PASSED, approves=approves)
    found = failures(verify(root.export("approved.tar").path))
    assert f"approves #{approves}, which is no earlier proposal" in found["decisions"]


def test_only_a_first_artifact_is_promoted_without_gates(root: Root) -> None:
    """Where nothing was live before; a part of the history may not show what was."""
    last = root.decide("promote", "toy:three")
    found = failures(verify(root.export().path))
    assert "toy:three was promoted without gates over a live artifact" in found["gates"]
    report = verify(root.export("part.tar", start=last.at).path)
    assert verdicts(report)["gates"] == "not_proven"
    [gates] = [check for check in report.checks if check.name == "gates"]
    assert "whether an artifact was live before toy:three is not known" in gates.says
    before = root.history().events[4]
    found = failures(verify(root.export("more.tar", start=before.at).path))
    assert "toy:three was promoted without gates" in found["gates"]


def change_json(prefix: str, /, **fields: object) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        chosen = next(file for file in sorted(files) if file.startswith(prefix))
        files[chosen] = json.dumps({**json.loads(files[chosen]), **fields}).encode()

    return change


def test_what_the_decisions_name_must_be_it(root: Root) -> None:
    """Another manifest, another policy, or lists of digests that are none."""
    path = root.export().path
    found = failures(verify(rewritten(path, change_json("manifests/", name="mine"))))
    assert "not that of its name" in found["artifacts"]
    found = failures(verify(rewritten(path, change_json("policies/", gates={}))))
    assert "has another content" in found["policies"]
    found = failures(verify(rewritten(path, change_json("log", files={"a": "b"}))))
    assert "not a list of digests" in found["data"]
    found = failures(verify(rewritten(path, lambda files: files.pop("labels.json"))))
    assert found["data"] == "it has no labels.json"


def test_digests_of_contract_and_code_are_those_of_the_manifest(root: Root) -> None:
    """A decision that names others is about another artifact."""
    root.decide("promote", "toy:two", contract_sha256="0" * 64, forced=True)
    found = failures(verify(root.export().path))
    assert "contract_sha256 of a decision on toy:two" in found["artifacts"]
    last = root.decide("promote", "toy:three", digest=root.history().events[0].digest)
    found = failures(verify(root.export("other.tar", start=last.at).path))
    assert "a decision on toy:three names is of toy:one" in found["artifacts"]


def test_who_decided_is_proven_as_far_as_it_was_authenticated(root: Root) -> None:
    """A name that the caller gave is a claim, however the bundle is signed."""
    report = verify(root.export().path)
    [actors] = [check for check in report.checks if check.name == "actors"]
    assert actors.says.startswith("0 of 5 decisions by somebody with a token of their own")
    shared = root.decide("shadow_start", "toy:three", authenticated="control token")
    assert verdicts(verify(root.export("a.tar", start=shared.at).path))["actors"] == "not_proven"
    last = root.decide("shadow_stop", "toy:two", authenticated="token ann")
    assert verdicts(verify(root.export("last.tar", start=last.at).path))["actors"] == "proven"


def test_what_is_missing_is_not_proven(root: Root) -> None:
    """It does not fail: the decisions are still proven."""
    for file in Path(root.settings.root, "manifests").iterdir():
        file.unlink()
    report = verify(root.export().path)
    assert verdicts(report)["artifacts"] == "not_proven"
    assert "the manifest of toy:one" in report.warnings[0]
    events = root.history().events
    part = verify(root.export("part.tar", start=events[2].at).path)
    assert verdicts(part)["decisions"] == "not_proven"
    assert verdicts(part)["history"] == "proven"
    assert part.decisions == 3


def test_events_of_format_1_have_no_chain(root: Root, settings: Any) -> None:
    """Releases before format 2 did not record the hash of the event before."""
    folder = Path(f"{settings.root}-old", "rollout/toy")
    folder.mkdir(parents=True)
    for number, tag in enumerate(("toy:one", "toy:two")):
        old = {"format": 1, "kind": "promote", "artifact": tag, "at": "2026-01-01T00:00:00Z"}
        (folder / f"{number:06d}.json").write_text(json.dumps(old))
    other = Root(msgspec.structs.replace(settings, root=f"{settings.root}-old"), root.folder)
    report = verify(other.export("old.tar").path)
    assert verdicts(report)["history"] == verdicts(report)["artifacts"] == "not_proven"


def test_hostile_content_is_refused_without_a_crash(root: Root) -> None:
    """Counts beyond memory, nesting beyond the stack, a key that is none, text that types."""
    path = root.export().path
    for fields in ({"epoch": 10**18}, {"first": 10**18}, {"epoch": 0}, {"model": "\x1b[2J"}):
        found = verify(rewritten(path, change_json(INDEX, **fields), index=False))
        assert found.verdict == "failed"
        assert "\x1b" not in str(found)
    deep = b'{"format":2,"kind":"promote","artifact":"toy:one","gates":[' + b'{"a":' * 100_000
    nested = rewritten(path, lambda files: files.update({event_file(4): deep}))
    assert "history" in failures(verify(nested))
    key = to_json(
        BundleSignature(key="ssh-rsa A", signature="", signed=root.export("b.tar").index.made)
    )
    unkeyed = rewritten(path, lambda files: files.update({SIGNATURE: key}), index=False)
    assert "not an Ed25519 key" in failures(verify(unkeyed))["signature"]


def test_a_newer_format_is_an_error_and_no_verdict(root: Root) -> None:
    """This release cannot say what it proves."""
    path = rewritten(root.export().path, change_json(INDEX, format=99), index=False)
    with pytest.raises(NewerFormat, match="upgrade"):
        verify(path)
