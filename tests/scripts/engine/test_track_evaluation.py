"""An evaluation in MLflow."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from scripts.engine.track_evaluation import TrackEvaluation
from scripts.names import tracking_key


def test_scores_and_files_become_a_child_run(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow' / 'mlruns.db'}"
    folder = tmp_path / "evaluation"
    (folder / "pictures").mkdir(parents=True)
    (folder / "report.html").write_text("page")
    (folder / "pictures" / "roc.png").write_bytes(b"picture")
    TrackEvaluation(uri, "tests", "cell", parent_run="abc").log(
        {"auroc_Mass (>3 cm)": 0.7, "auroc": 0.6, "absent": float("nan")}, folder
    )
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "cell evaluation"
    assert run.data.tags["mlflow.parentRunId"] == "abc"
    assert run.data.metrics == {tracking_key("auroc_Mass (>3 cm)"): 0.7, "auroc": 0.6}
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"report.html", "pictures"}
