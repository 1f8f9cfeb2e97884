"""What the value of a setting may be, and how to say so in words when it is something else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, ValidationError, ValidationInfo
from pydantic_settings import NoDecode

from worker.job import LANGUAGE_TAG, TokenPrice
from worker.redis_address import RedisAddress

T = TypeVar("T")

#: Ten years. Not much further Redis's expiries overflow.
MOST_SECONDS = 10 * 365 * 86400

_TRITON_URL = re.compile(r"[^\s,/]+:\d{1,5}(,[^\s,/]+:\d{1,5})*")
#: By pydantic's name of the mistake; the braces take what it says about the limit.
_SENTENCES = {
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:.15g}",
    "string_too_short": "must not be blank",
    "url_parsing": "must be an address that begins with http:// or https://",
    "url_scheme": "must be an address that begins with http:// or https://",
    "url_syntax_violation": "must be an address that begins with http:// or https://",
}


def explain(error: ValidationError) -> Iterator[str]:
    """One sentence for each wrong setting, with the variable's name and never its value."""
    for wrong in error.errors(include_input=False, include_url=False):
        words = wrong["msg"].removeprefix("Value error, ")
        if sentence := _SENTENCES.get(wrong["type"]):
            # Pydantic quotes choices.
            words = sentence.format(**wrong.get("ctx", {})).replace("'", "")
        # What is missing bears the field's name: the variable's in small letters.
        yield f"{str(wrong['loc'][0]).upper()}: {words}"


def needed_when(switch: str, choice: str, why: str) -> AfterValidator:
    """A setting that must be given where another one, declared above it, has made a choice.

    Args:
        switch: Field name of the other.
        choice: Its value.
        why: Said in brackets: what needs it, or how to do without.
    """

    def check(value: T | None, given: ValidationInfo) -> T | None:
        if not value and given.data.get(switch) == choice:
            raise ValueError(f"missing ({why})")
        return value

    return AfterValidator(check)


def _check_second_translator(model: str | None, given: ValidationInfo) -> str | None:
    """FALLBACK_BASE_URL and FALLBACK_MODEL are given both or not at all."""
    address = given.data.get("fallback_base_url")
    if model is None and address is not None:
        raise ValueError("missing (FALLBACK_BASE_URL needs it)")
    if model is not None and address is None and "fallback_base_url" in given.data:
        raise ValueError("FALLBACK_BASE_URL is missing, a second translator needs both")
    return model


def _check_key_template(template: str) -> str:
    """R2_KEY_TEMPLATE must tell every result from every other."""
    needed = ("request_id", "image_id", "target_language", "extension")
    try:
        template.format(**dict.fromkeys(needed, "x"))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ValueError(f"only the fields {', '.join(needed)} can be used") from error
    if missing := [name for name in needed if f"{{{name}}}" not in template]:
        raise ValueError(f"must hold {{{missing[0]}}}, or results overwrite one another")
    return template


def _check_results_list(results: str, given: ValidationInfo) -> str:
    jobs = given.data.get("processor_queue")
    if jobs is not None and (results == jobs or results.startswith(f"{jobs}:")):
        raise ValueError("must not be PROCESSOR_QUEUE or a name made from it, the worker keeps jobs there")
    return results


def _check_redis_url(url: str) -> str:
    RedisAddress.parse(url)
    return url


def _check_triton_url(url: str) -> str:
    if not _TRITON_URL.fullmatch(url):
        raise ValueError(
            "must be the gRPC address as host:port, several separated by commas, without http://"
        )
    return url


def check_language(tag: str) -> str:
    """A BCP-47 tag; raises ValueError in words."""
    if not re.fullmatch(LANGUAGE_TAG, tag):
        raise ValueError("must be a language tag (BCP-47), such as ko, ja or zh-Hant")
    return tag


def _read_price(price: object) -> object:
    """`input/output` in USD for a million tokens, such as 0.30/2.50."""
    if not isinstance(price, str):
        return price
    asked, slash, answered = price.partition("/")
    try:
        read = TokenPrice(float(asked), float(answered))
    except ValueError:
        read = None
    if not slash or read is None or not all(0 <= usd < math.inf for usd in (read.input, read.output)):
        raise ValueError("must be input/output in USD for a million tokens, such as 0.30/2.50")
    return read


ResultsList = Annotated[str, AfterValidator(_check_results_list)]
RedisUrl = Annotated[str, AfterValidator(_check_redis_url)]
TritonUrl = Annotated[str, AfterValidator(_check_triton_url)]
LanguageTag = Annotated[str, AfterValidator(check_language)]
KeyTemplate = Annotated[str, AfterValidator(_check_key_template)]
SecondModel = Annotated[str | None, AfterValidator(_check_second_translator)]
Price = Annotated[TokenPrice | None, NoDecode, BeforeValidator(_read_price)]
