"""The text store: embeds once, survives kills, and refuses what does not belong together."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.errors import CxrError
from scripts.text.key import text_key
from scripts.text.language_model import FrozenLanguageModel
from scripts.text.store import TextStore

TEXTS = ["No effusion.", "Mild edema.", "The heart is normal in size. Lungs are clear.", "No effusion."]


def language_model(folder: Path | str, revision=None, pooling="mean") -> FrozenLanguageModel:
    return FrozenLanguageModel(str(folder), revision, pooling, max_length=64, dtype="float32")


def no_model(*_: object) -> None:
    raise AssertionError("the language model was loaded")


@pytest.mark.parametrize("storage", ["float16", "float32"])
@pytest.mark.parametrize("on_disk", [True, False])
def test_lookup_gives_the_model_s_vectors(tiny_bert: Path, tmp_path: Path, on_disk: bool, storage) -> None:
    model = language_model(tiny_bert)
    store = TextStore(tmp_path / "text" if on_disk else None, model, storage)
    assert store.ensure(TEXTS, progress=False) == 3 and len(store) == 3
    assert store.ensure(TEXTS, progress=False) == 0
    found = store.lookup(["Mild edema.", "No effusion.", "No effusion."])
    assert found.dtype == np.float32 and found.shape == (3, store.dim)
    expected = model.embed(["Mild edema.", "No effusion.", "No effusion."])
    # Two batches of one text may add up in another order, by the number of threads: equal to the rounding of float32,
    # which may fall on the other side of a step of float16.
    step = max(np.finfo(storage).eps, 16 * np.finfo(np.float32).eps)
    np.testing.assert_allclose(found, expected, rtol=0, atol=step * np.abs(expected).max())


def test_a_full_store_needs_no_model(tiny_bert: Path, tmp_path: Path, monkeypatch) -> None:
    first = TextStore(tmp_path / "text", language_model(tiny_bert))
    expected = first.lookup(TEXTS)
    monkeypatch.setattr(FrozenLanguageModel, "load", no_model)
    second = TextStore(tmp_path / "text", language_model(tiny_bert))
    assert second.ensure(TEXTS) == 0
    np.testing.assert_array_equal(second.lookup(TEXTS), expected)
    for travelled in (copy.deepcopy(second), pickle.loads(pickle.dumps(second))):  # noqa: S301
        np.testing.assert_array_equal(travelled.lookup(TEXTS), expected)
    with pytest.raises(AssertionError):
        second.lookup(["Mild opacity."])


def test_what_lies_on_disk(tiny_bert: Path, tmp_path: Path) -> None:
    store = TextStore(tmp_path / "text", language_model(tiny_bert))
    store.ensure(TEXTS[:2], progress=False)
    store.lookup(TEXTS)
    assert store.path is not None and store.path.parent == tmp_path / "text"
    assert {path.name for path in store.path.iterdir()} - {".lock"} == {"embeddings.npy", "index.parquet", "model.json"}
    index = pd.read_parquet(store.path / "index.parquet").set_index("key").row
    plain = np.load(store.path / "embeddings.npy")
    assert plain.shape == (3, 32) and plain.dtype == np.float16
    np.testing.assert_array_equal(plain[index[text_key("Mild edema.")]], store.lookup(["Mild edema."])[0])
    assert not any("effusion" in path.read_text(errors="ignore") for path in store.path.iterdir())  # hashes, no text


def test_stores_of_several_models_lie_side_by_side(tiny_bert: Path, tmp_path: Path) -> None:
    mean = TextStore(tmp_path, language_model(tiny_bert)).lookup(TEXTS)
    cls = TextStore(tmp_path, language_model(tiny_bert, pooling="cls")).lookup(TEXTS)
    assert np.abs(mean - cls).max() > 0.1
    np.testing.assert_array_equal(TextStore(tmp_path, language_model(tiny_bert)).lookup(TEXTS), mean)


def test_changed_weights_are_refused(make_bert: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_bert()
    TextStore(tmp_path / "text", language_model(folder)).ensure(TEXTS, progress=False)
    make_bert(seed=1)
    with pytest.raises(CxrError, match=r"was made with revision sha256:\w+ of tiny, now it is sha256:"):
        TextStore(tmp_path / "text", language_model(folder)).lookup(TEXTS)


def hub_model(cache: Path, source: Path, commit: str, monkeypatch) -> None:
    """Put a model into a hub cache as commit of `main`."""
    repository = cache / "models--lab--tiny"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir(exist_ok=True)
    source.rename(repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))


def test_a_moved_branch_is_refused_and_a_pinned_commit_is_not(make_bert, tmp_path: Path, monkeypatch) -> None:
    hub_model(tmp_path / "hub", make_bert(), "a" * 40, monkeypatch)
    TextStore(tmp_path / "text", language_model("lab/tiny")).ensure(TEXTS, progress=False)
    hub_model(tmp_path / "hub", make_bert(seed=1), "b" * 40, monkeypatch)
    with pytest.raises(CxrError, match=f"revision {'a' * 40} of lab/tiny, now it is {'b' * 40}: set the"):
        TextStore(tmp_path / "text", language_model("lab/tiny")).lookup(TEXTS)
    old = TextStore(tmp_path / "text", language_model("lab/tiny", "a" * 40)).lookup(TEXTS)
    new = TextStore(tmp_path / "text", language_model("lab/tiny", "b" * 40)).lookup(TEXTS)
    assert np.abs(old - new).max() > 0.1


def test_a_full_store_works_where_the_hub_model_is_not(make_bert, tmp_path: Path, monkeypatch) -> None:
    hub_model(tmp_path / "hub", make_bert(), "a" * 40, monkeypatch)
    model = language_model("lab/tiny")
    expected = TextStore(tmp_path / "text", model).lookup(TEXTS)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    store = TextStore(tmp_path / "text", language_model("lab/tiny"))
    np.testing.assert_array_equal(store.lookup(TEXTS), expected)
    with pytest.raises(CxrError, match="cannot be downloaded"):
        store.lookup(["Mild opacity."])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("embeddings.npy", b"", "damaged"),
        ("embeddings.npy", None, "damaged"),
        ("index.parquet", b"PAR1", "damaged"),
        ("model.json", b"{", "cannot be read"),
        ("model.json", b"{}", "damaged"),
    ],
)
def test_damage_is_named(tiny_bert: Path, tmp_path: Path, file: str, content: bytes | None, message: str) -> None:
    path = TextStore(tmp_path / "text", language_model(tiny_bert))
    path.ensure(TEXTS, progress=False)
    assert path.path is not None
    victim = path.path / file
    victim.write_bytes(victim.read_bytes()[:-2] if content is None else content)
    with pytest.raises(CxrError, match=message):
        TextStore(tmp_path / "text", language_model(tiny_bert)).lookup(TEXTS)


def test_another_model_under_this_name_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    store = TextStore(tmp_path / "text", language_model(tiny_bert))
    store.ensure(TEXTS, progress=False)
    assert store.path is not None
    about = json.loads((store.path / "model.json").read_text())
    (store.path / "model.json").write_text(json.dumps(about | {"pooling": "cls"}))
    with pytest.raises(CxrError, match="made by another model"):
        TextStore(tmp_path / "text", language_model(tiny_bert)).lookup(TEXTS)


@pytest.mark.parametrize("text", ["", " \n"])
def test_blank_reports_are_refused(tiny_bert: Path, text: str) -> None:
    with pytest.raises(CxrError, match="blank"):
        TextStore(None, language_model(tiny_bert)).lookup(["No effusion.", text])


def test_missing_reports_are_refused(tiny_bert: Path) -> None:
    with pytest.raises(CxrError, match="not text"):
        TextStore(None, language_model(tiny_bert)).lookup([float("nan")])  # type: ignore[list-item]


def test_nothing_to_look_up(tiny_bert: Path, tmp_path: Path) -> None:
    assert TextStore(tmp_path / "text", language_model(tiny_bert)).lookup([]).shape == (0, 32)
    assert not (tmp_path / "text").exists()


def test_a_folder_that_cannot_be_written(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a file")
    with pytest.raises(CxrError, match="cannot be written"):
        TextStore(tmp_path / "text", language_model(tiny_bert)).ensure(TEXTS, progress=False)


def test_two_writers_embed_each_text_once(tiny_bert: Path, tmp_path: Path) -> None:
    shared = [f"{'mild ' * n}effusion" for n in range(1, 40)]
    own = [[f"{side} heart {'left ' * n}" for n in range(9)] for side in ("left", "right")]

    def fill(texts: list[str]) -> int:
        return TextStore(tmp_path / "text", language_model(tiny_bert)).ensure(texts, progress=False)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(fill, [shared + texts for texts in own]))
    store = TextStore(tmp_path / "text", language_model(tiny_bert))
    assert sum(done) == len(store) == 39 + 2 * 9
    everything = [*shared, *own[0], *own[1]]
    np.testing.assert_allclose(store.lookup(everything), store.model.embed(everything), atol=5e-3)


# A model that takes a millisecond a text, and whose vectors tell which text it was.
WRITER = """
import sys, time
import numpy as np
import scripts.text.store as module
from scripts.text.language_model import FrozenLanguageModel

def embed_batches(self, texts, progress):
    for row, text in enumerate(texts):
        if len(sys.argv) > 3 and row == int(sys.argv[3]):
            time.sleep(600)
        yield np.array([row]), np.full((1, 768), float(text.split()[1]), np.float32)

module._COMMIT_ROWS = 16
FrozenLanguageModel.embed_batches = embed_batches
model = FrozenLanguageModel(sys.argv[2], max_length=64, dtype="float32")
module.TextStore(sys.argv[1], model).ensure([f"report {n}" for n in range(200)], progress=False)
"""


def test_a_killed_writer_loses_the_last_rows_only(tiny_bert: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(FrozenLanguageModel, "load", no_model)
    texts = [f"report {n}" for n in range(200)]

    def rows() -> int:
        return len(TextStore(tmp_path / "text", language_model(tiny_bert)))

    # The writer hangs before its 41st text; it commits every 16.
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "text"), str(tiny_bert), "40"])
    while rows() < 32 and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert rows() == 32
    # What was written and not committed is overwritten later, and never read.
    store = TextStore(tmp_path / "text", language_model(tiny_bert))
    assert store.path is not None
    with (store.path / "embeddings.npy").open("ab") as file:
        file.write(b"\xff" * 9999)
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "text"), str(tiny_bert)], check=True)
    np.testing.assert_array_equal(TextStore(tmp_path / "text", store.model).lookup(texts)[:, 5], np.arange(200))


@pytest.mark.parametrize("by_hand", [False, True], ids=["signal", "Ctrl-C"])
def test_a_pass_that_is_told_to_stop_keeps_what_it_has(
    tiny_bert: Path, tmp_path: Path, monkeypatch, by_hand: bool
) -> None:
    texts = [f"report {n}" for n in range(6)]

    def batches(self, wanted, progress=False):
        for n, text in enumerate(wanted):
            if by_hand and n == 2:
                raise KeyboardInterrupt
            yield np.array([n]), np.full((1, 32), int(text.split()[1]), np.float32)

    monkeypatch.setattr(FrozenLanguageModel, "embed_batches", batches)
    store, asked = TextStore(tmp_path / "text", language_model(tiny_bert)), iter([False, True])
    if by_hand:
        with pytest.raises(KeyboardInterrupt):
            store.ensure(texts)
    else:
        assert store.ensure(texts, stop=lambda: next(asked)) == 2
    again = TextStore(tmp_path / "text", language_model(tiny_bert))
    assert len(again) == 2
    by_hand = False
    assert again.ensure(texts) == 4
    np.testing.assert_array_equal(again.lookup(texts)[:, 5], np.arange(6))


def test_a_lookup_of_what_is_there_opens_no_file(tiny_bert: Path, tmp_path: Path, monkeypatch) -> None:
    texts = [f"report {n}" for n in range(2_000)]
    rng = np.random.default_rng(0)

    def batches(self: object, missing: list[str], progress: bool):
        yield np.arange(len(missing)), rng.standard_normal((len(missing), 768), dtype=np.float32)

    monkeypatch.setattr(FrozenLanguageModel, "embed_batches", batches)
    store = TextStore(tmp_path / "text", language_model(tiny_bert))
    store.ensure(texts, progress=False)
    assert store.path is not None

    def no_file(*_: object) -> None:
        raise AssertionError("a file was opened")  # a training step of milliseconds looks up its batch like this

    for reader in ("_read", "_embed", "_settle_revision"):
        monkeypatch.setattr(TextStore, reader, no_file)
    picks = rng.integers(0, len(texts), 512)
    vectors = np.load(store.path / "embeddings.npy", mmap_mode="r")
    monkeypatch.setattr(Path, "open", no_file)
    np.testing.assert_array_equal(store.lookup([texts[n] for n in picks]), vectors[picks].astype(np.float32))
