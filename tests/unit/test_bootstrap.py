from __future__ import annotations

from pathlib import Path

import pytest

from worker.bootstrap import find_models
from worker.embedded import MODEL_REPOSITORY
from worker.errors import SettingsError


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
