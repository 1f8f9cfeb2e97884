from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from worker.bootstrap import find_models, local_source, local_store, open_pipeline
from worker.embedded import MODEL_REPOSITORY
from worker.errors import SettingsError
from worker.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_working_directory_comes_before_the_packages_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    default = Path(MODEL_REPOSITORY.name)
    assert find_models(default) == MODEL_REPOSITORY
    (tmp_path / default).mkdir()
    assert find_models(default).resolve() == tmp_path / default


@pytest.mark.parametrize("directory", ["elsewhere", "/elsewhere"])
def test_a_folder_that_is_not_there_is_named_with_its_variable(directory: str) -> None:
    with pytest.raises(SettingsError, match=rf"^ONNX_MODEL_DIR: there is no folder {directory}; set it to"):
        find_models(Path(directory))


@pytest.fixture
def opencv_threads() -> Iterator[None]:
    """Several, as in a process that has just begun; put back afterwards."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("opencv_threads")
async def test_opencv_starts_no_threads_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one thread for pixels would wait for them, and they for the cores of other workers."""
    for name, value in {
        "TRANSLATOR": "glossary",
        "GLOSSARY_PATH": str(EXAMPLES / "glossary.ko.tsv"),
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": str(tmp_path / "store"),
        "SPOOL_DIR": str(tmp_path / "spool"),
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    async with open_pipeline(settings, local_source(settings), local_store(settings)):
        assert cv2.getNumThreads() == 1
