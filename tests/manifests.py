"""The Kubernetes manifests, as kustomize puts them together."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[1] / "deploy/k8s"


def kustomization(folder: Path) -> Object:
    found: Object = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


def objects(folder: Path) -> list[Object]:
    names = kustomization(folder)["resources"]
    return [found for name in names for found in yaml.safe_load_all((folder / name).read_text())]


def patched(base: list[Object], component: Path) -> list[Object]:
    """As kustomize applies a component: its resources added, its JSON patches made."""
    found = [*copy.deepcopy(base), *objects(component)]
    for patch in kustomization(component)["patches"]:
        wanted = (patch["target"]["kind"], patch["target"]["name"])
        (target,) = [item for item in found if (item["kind"], item["metadata"]["name"]) == wanted]
        for change in yaml.safe_load(patch["patch"]):
            *path, last = change["path"].strip("/").split("/")
            place: Any = target
            for part in path:
                place = place[int(part) if part.isdigit() else part]
            if (change["op"], last) == ("add", "-"):
                place.append(change["value"])
            else:
                assert change["op"] == "replace"
                key = int(last) if last.isdigit() else last
                assert place[key] is not None
                place[key] = change["value"]
    return found


OBJECTS = objects(FOLDER)
EXPORT = objects(FOLDER / "export")
SENTINEL = patched(OBJECTS, FOLDER / "components/sentinel")


def named(kind: str, name: str, among: list[Object] = OBJECTS) -> Object:
    """The object of that kind and name; there is one."""
    (found,) = [item for item in among if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


#: The worker's settings that are no secret.
SETTINGS: dict[str, str] = named("ConfigMap", "operate-worker")["data"]
#: What runs, by name: the templates of its pods.
TEMPLATES: dict[str, Object] = {
    item["metadata"]["name"]: item["spec"]["template"]
    for item in (*OBJECTS, *EXPORT)
    if item["kind"] in ("Deployment", "Job")
}


def pod(name: str) -> Object:
    found: Object = TEMPLATES[name]["spec"]
    return found


def container(name: str) -> Object:
    """The pod's only one."""
    (found,) = pod(name)["containers"]
    only: Object = found
    return only


def labels(name: str) -> dict[str, str]:
    found: dict[str, str] = TEMPLATES[name]["metadata"]["labels"]
    return found


def flags(name: str) -> dict[str, str]:
    """The container's arguments of the form `--name=value`."""
    return dict(
        part.split("=", 1) for part in container(name)["args"] if part.startswith("--") and "=" in part
    )
