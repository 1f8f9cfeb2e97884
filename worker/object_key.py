"""Object keys from hostile ids: deterministic, readable, and never outside their place."""

from __future__ import annotations

import hashlib
import re

from worker.job import Job

#: What a key keeps of an id; everything else, dots in front included, becomes an underscore.
_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]|^\.+")
_LONGEST = 96


def object_key(template: str, job: Job, extension: str) -> str:
    """The key of a job's object: the same for the same job, so that a job done twice stores one object.

    Args:
        template: R2_KEY_TEMPLATE, with request_id, image_id, target_language and extension.
        job: Gives the ids.
        extension: Without the dot.
    """
    return template.format(
        request_id=_safe(job.request_id),
        image_id=_safe(job.image_id),
        target_language=_safe(job.target_language),
        extension=extension,
    ).lstrip("/")


def _safe(identifier: str) -> str:
    """The id itself where it is harmless, else its harmless part and a hash that keeps two ids apart.

    The tilde before the hash is in no harmless id: nobody can choose an id that becomes another one's key.
    """
    cleaned = _UNSAFE.sub("_", identifier)[:_LONGEST]
    if cleaned == identifier:
        return identifier
    return f"{cleaned}~{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
