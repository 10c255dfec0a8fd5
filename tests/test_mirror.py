"""Tests mirror the source: those of ``src/gnomon/a/b.py`` are in ``tests/a/test_b.py``, or the
list here says where.
"""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "gnomon"

SEEN_IN: dict[str, tuple[str, ...]] = {
    # A part of its room, seen through the room's entrance with real files and workers.
    "artifact/serialization/test_pipeline_bytes.py": (
        "artifact/serialization/skops_arrays.py",
        "artifact/serialization/trust.py",
    ),
    "artifact/combining/test_combination.py": (
        "artifact/combining/children.py",
        "artifact/combining/joining.py",
        "artifact/combining/parts.py",
        "artifact/combining/taking.py",
    ),
    "artifact/test_fresh_process.py": ("artifact/isolated_process.py",),
    "attack/test_damage.py": ("artifact/folder.py", "artifact/tables.py"),
    "data_checks/test_leakage.py": ("data_checks/served_rows.py", "leakage/model_answers.py"),
    "compat/test_portable.py": ("compat/platform/linux.py", "compat/platform/portable.py"),
    "compat/test_skops.py": ("artifact/serialization/skops_file.py",),
    "artifact/test_packing.py": ("artifact/training_input.py",),
    "audit/test_verification.py": (
        "audit/audit_report.py",
        "audit/bundle.py",
        "audit/history_checks.py",
        "audit/provenance_checks.py",
    ),
    "estimates/test_estimation.py": (
        "estimates/answered_rows.py",
        "estimates/chunk_estimates.py",
        "estimates/confidence_based.py",
        "estimates/direct_loss.py",
        "estimates/estimate_report.py",
        "estimates/fitting.py",
        "estimates/input_drift.py",
        "estimates/quality_estimate.py",
    ),
    "tokens/test_issued_tokens.py": ("tokens/token_record.py",),
    "cli/test_token.py": ("cli/durations.py",),
    "rollout/history/test_history.py": ("rollout/history/state.py",),
    "rollout/decisions/test_approvals.py": ("rollout/proposal.py",),
    "rollout/decisions/test_promotion.py": (
        "rollout/decisions/frozen_gates.py",
        "rollout/decisions/gate_checks.py",
    ),
    "attack/test_access.py": ("cli/approve.py",),
    "artifact/vendored_code/test_vendoring.py": ("artifact/vendored_code/installed_packages.py",),
    "artifact/test_refusals.py": (
        "artifact/checks/allowances.py",
        "artifact/checks/frame_extras.py",
        "artifact/serialization/experimental.py",
        "artifact/serialization/metadata_routing.py",
        "artifact/checks/outside_reads.py",
        "compat/platform/system_folders.py",
        "artifact/target.py",
        "artifact/checks/unseen_values.py",
        "pipeline/batch_dependent_steps.py",
        "pipeline/failing_step.py",
    ),
    "pipeline/test_model_outputs.py": ("pipeline/methods.py",),
    "cli/test_contract.py": ("artifact/checks/newly_accepted_values.py",),
    "contract/test_inference.py": ("contract/column_inference.py",),
    "contract/test_dtypes.py": ("contract/interval_categories.py",),
    "contract/check/test_row_check.py": (
        "contract/check/batches.py",
        "contract/check/contract_report.py",
        "contract/check/column_judge.py",
    ),
    "drift/test_counted_rows.py": ("drift/cells.py", "drift/entity_counts.py"),
    "drift/test_measure.py": (
        "drift/top_columns.py",
        "drift/column_reader.py",
        "drift/largest_increase.py",
        "drift/plots.py",
    ),
    "drift/test_metrics.py": ("drift/bins.py",),
    "labels/test_label_reader.py": ("labels/label.py",),
    "labels/test_label_status.py": ("labels/label_counts.py",),
    "labels/test_label_store.py": ("labels/label_schema.py",),
    "policy/test_policy.py": (
        "policy/drift_limits.py",
        "policy/gate_limits.py",
        "policy/quality_rules.py",
        "policy/label_rules.py",
        "policy/rollout_rules.py",
        "policy/tolerance.py",
    ),
    "leakage/test_duplicates.py": ("leakage/overlap.py",),
    "leakage/test_domain.py": ("leakage/two_sample_classifier.py",),
    "leakage/test_finding.py": ("leakage/checks.py",),
    "leakage/test_identifiers.py": ("leakage/row_order.py", "leakage/predictive_power.py"),
    "leakage/test_label.py": ("leakage/encodings.py", "leakage/labelled_table.py"),
    "log/test_reader.py": ("log/snapshot.py", "log/table/log_table.py"),
    "log/repair/test_misplaced_segments.py": ("log/segments/segment_header.py",),
    "log/repair/test_restored_segments.py": (
        "log/repair/whole_segments.py",
        "log/table/sealed_segments.py",
    ),
    "log/repair/test_repair.py": (
        "log/lost_ranges.py",
        "log/repair/resync.py",
        "log/repair/salvage.py",
        "log/sealed_account.py",
        "log/repair/table_repair.py",
    ),
    "log/test_seal.py": (
        "log/table/commits.py",
        "log/table/delta.py",
        "log/forked_work.py",
        "log/table/maintenance.py",
    ),
    "log/test_sealed_stream.py": (
        "log/table/row_addresses.py",
        "log/table/columns.py",
        "log/table/segment_rows.py",
    ),
    "log/segments/test_segment_writer.py": (
        "log/segments/new_segment.py",
        "log/segments/recovery.py",
    ),
    "report/test_halves.py": ("report/halves_section.py",),
    "report/test_html.py": ("page_templates.py", "report/document.py", "report/lines.py"),
    "report/test_model.py": ("report/counts.py", "report/diagnosis.py", "report/intervals.py"),
    "report/test_terminal.py": ("report/comparison_document.py", "terminal.py"),
    "rollout/quality/test_evaluation.py": (
        "rollout/quality/known_labels.py",
        "rollout/quality/measure.py",
    ),
    "rollout/quality/test_tally.py": (
        "rollout/quality/metric_comparison.py",
        "rollout/quality/quality_report.py",
        "rollout/quality/shadow_quality.py",
    ),
    "rollout/gates/test_gates.py": ("rollout/gate.py", "rollout/gates/share_gates.py"),
    "test_notebook.py": ("log/row_counts.py", "api/data_checks.py", "api/queries.py"),
    "api/test_skew_checks.py": ("rollout/named_artifacts.py",),
    "shadow/accounts/test_balance.py": (
        "shadow/accounts/accounts.py",
        "shadow/accounts/sealed_accounts.py",
    ),
    "shadow/feed/test_process.py": ("shadow/feed/reporter.py", "shadow/feed/shadowing.py"),
    "shadow/feed/test_progress.py": ("shadow/shadow_counts.py",),
    "skew/consistency/test_tally.py": ("offline/paired_rows.py", "skew/consistency/divergence.py"),
    "skew/diagnosis/test_explain.py": ("skew/diagnosis/case.py",),
    "skew/diagnosis/test_proof.py": (
        "skew/diagnosis/replaced_inputs.py",
        "skew/diagnosis/distortion_search.py",
    ),
    "skew/test_join.py": ("offline/casts.py",),
    "skew/test_table_comparison.py": (
        "skew/report_assembly.py",
        "skew/diagnosis/candidates.py",
        "skew/diagnosis/diagnose.py",
        "skew/diagnosis/diagnosis_writer.py",
        "skew/diagnosis/external_causes.py",
        "skew/diagnosis/observations.py",
        "skew/diagnosis/root_divergences.py",
        "skew/diagnosis/restoring_inputs.py",
        "skew/diagnosis/traced_rows.py",
    ),
    "skew/test_as_of.py": ("skew/diagnosis/row_context.py", "skew/diagnosis/shifted_as_of.py"),
    "skew/test_replay.py": ("skew/diagnosis/batch_dependence.py", "skew/replay_run.py"),
    # What commands share, and verbs that one story uses one after the other.
    "cli/test_app.py": ("cli/options.py",),
    "cli/test_artifacts.py": (
        "cli/inspect.py",
        "cli/show/artifact.py",
        "cli/show/artifacts.py",
        "cli/sign.py",
    ),
    "cli/test_audit.py": ("cli/show/audit.py",),
    "cli/test_check.py": ("cli/show/check.py",),
    "service/status/test_automation_status.py": ("cli/show/automation.py",),
    "cli/test_compare.py": ("cli/reporting.py", "cli/join_options.py"),
    "cli/test_hostile_text.py": ("cli/console.py",),
    "cli/test_labels.py": ("cli/show/labels.py",),
    "cli/test_leakage.py": ("cli/show/leakage.py",),
    "cli/test_log.py": ("cli/show/rows.py", "cli/show/sealed.py"),
    "cli/test_repair.py": ("cli/show/repair.py",),
    "cli/test_quality.py": (
        "api/quality.py",
        "cli/show/estimates.py",
        "estimates/reference_table.py",
        "cli/show/quality.py",
        "rollout/gates/gates_on_history.py",
        "rollout/quality/replayed_rows.py",
    ),
    "cli/test_reports.py": ("cli/show/reports.py",),
    "cli/test_score.py": ("offline/scoring.py", "service/client/file_scoring.py"),
    "cli/test_rollout.py": (
        "cli/rollout_at_root.py",
        "cli/rollout_at_server.py",
        "cli/history.py",
        "cli/promote.py",
        "cli/rollback.py",
        "cli/shadow.py",
        "cli/show/gates.py",
        "cli/show/history.py",
        "cli/rollout_target.py",
    ),
    "rollout/decisions/test_withdrawal.py": ("cli/withdraw.py",),
    "cli/test_serve.py": ("cli/init.py",),
    "cli/test_status.py": (
        "api/shadow_gates.py",
        "cli/show/status.py",
        "service/status/deployment_overview.py",
    ),
    # What only a running server or worker does.
    "service/streaming/test_record_stream.py": (
        "contract/record_lines.py",
        "service/http/arrow_messages.py",
        "service/client/duplex.py",
        "service/client/stream_calls.py",
        "service/streaming/idle_limit.py",
        "service/http/media_types.py",
        "service/streaming/record_answers.py",
        "service/slice/stream_scoring.py",
    ),
    "compat/test_circus.py": ("service/supervision.py",),
    "faults/test_gateway_death.py": (
        "service/slice/standby.py",
        "service/slice/standby_process.py",
    ),
    "faults/test_large_bodies.py": (
        "service/lane/codec_messages.py",
        "service/lane/codec_process.py",
    ),
    "faults/test_shadow.py": ("service/slice/shadow_supervisor.py", "service/slice/shadow_feed.py"),
    "faults/test_shutdown.py": ("service/stopping.py",),
    "service/lane/test_batching.py": (
        "service/lane/recording.py",
        "service/lane/records.py",
        "service/lane/pending_request.py",
    ),
    "api/test_query_process.py": ("api/log_query.py", "api/query_answers.py"),
    "service/test_control.py": ("service/control_bodies.py",),
    "service/test_query_routes.py": ("service/control_route.py",),
    "audit/test_export.py": ("audit/bundle_file.py",),
    "service/client/test_clients.py": (
        "service/client/client_decisions.py",
        "service/client/client_queries.py",
        "service/client/query_calls.py",
        "service/client/answers.py",
        "service/client/calls.py",
        "service/client/failures.py",
    ),
    "service/test_connection.py": (
        "service/http/asgi_exchange.py",
        "service/http/framing.py",
        "service/http/request_head.py",
        "service/client_connection.py",
    ),
    "service/test_front_door.py": (
        "service/lane/answer_encoding.py",
        "service/slice/request_handler.py",
    ),
    "service/openapi/test_document.py": ("service/openapi/schemas.py",),
    "service/slice/test_runtime.py": (
        "service/slice/loaded_artifacts.py",
        "service/slice/maintenance.py",
        "service/slice/sealing.py",
        "service/slice/status_view.py",
    ),
    "worker/test_client.py": (
        "worker/background.py",
        "worker/messages.py",
        "worker/process.py",
    ),
    "worker/test_supervisor.py": ("worker/connection.py",),
    # Of everything: names, errors and the server that other tests start.
    "laws/test_law_1.py": ("testing.py",),
    "test_docs.py": ("errors.py",),
    "test_public_surface.py": ("contract/body_size.py", "lazy_imports.py", "version.py"),
}
"""By test file: the modules without one of their own whose behaviour it sees."""


def own_test(module: str) -> Path:
    """Where the tests of a module are looked for first."""
    path = Path(module)
    return TESTS / path.parent / f"test_{path.name}"


def modules() -> list[str]:
    """Every module with code, as a path below the package."""
    found = (path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    return sorted(str(path) for path in found if not path.name.startswith("__"))


def test_every_module_has_tests_where_one_would_look() -> None:
    """A new module comes with ``test_`` and its name, in the folder of its room."""
    elsewhere = {module for seen in SEEN_IN.values() for module in seen}
    missing = [m for m in modules() if m not in elsewhere and not own_test(m).exists()]
    assert missing == []


def test_the_list_of_exceptions_is_no_longer_than_it_must_be() -> None:
    """A module that was removed, or has its own tests, is deleted from the list; each is listed
    once.
    """
    listed = [module for seen in SEEN_IN.values() for module in seen]
    assert sorted(listed) == sorted(set(listed))
    assert [m for m in listed if m not in modules()] == []
    assert [m for m in listed if own_test(m).exists()] == []
    assert [test for test in SEEN_IN if not (TESTS / test).exists()] == []


def test_no_test_module_imports_from_another() -> None:
    """What tests share is in modules that hold no tests, so that a test can be moved or renamed."""
    imports = [
        f"{path.relative_to(TESTS)}: {node.module}"
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and ".test_" in (node.module or "")
    ]
    assert imports == []
