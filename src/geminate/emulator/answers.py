"""What stands in for the model: a deterministic answerer, or one of the user's own."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from random import Random
from typing import Any

import msgspec

from geminate.emulator.schema_instances import schema_instance
from geminate.errors import UsageError

Answerer = Callable[[dict[str, Any], dict[str, Any]], Any]
"""Takes a request and its siblings; gives text, a whole response, ``{"error": …}`` or an exception."""

_SHOWN_LENGTH = 80


def pick(message: Any, name: str) -> Any:
    """The member of that camelCase name, in either spelling; None where there is none."""
    if not isinstance(message, Mapping):
        return None
    if name in message:
        return message[name]
    return message.get("".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name))


def listed(value: Any) -> list[Any]:
    """The elements, of a list or of a single object that stands where a list should."""
    return value if isinstance(value, list) else [] if value is None else [value]


def iter_parts(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All parts of a request: the system instruction's, then those of each turn."""
    for content in (pick(request, "systemInstruction"), *listed(request.get("contents"))):
        for part in listed(pick(content, "parts")):
            if isinstance(part, Mapping):
                yield part


def request_seed(request: Mapping[str, Any]) -> int:
    """A number that the request's content decides, whatever the order of its keys."""
    text = msgspec.json.encode(request, order="sorted")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def load_answerer(answerer: str | Callable[..., Any] | None) -> Answerer:
    """The answerer: the built-in one for None, ``module:function`` imported, a callable as it is.

    A callable may take the request alone, or the request and its siblings.

    Raises:
        UsageError: There is no such module or function.
    """
    if answerer is None:
        return answer
    function = _imported(answerer) if isinstance(answerer, str) else answerer
    if len(inspect.signature(function).parameters) > 1:
        return function
    return lambda request, _siblings: function(request)


def _imported(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(":")
    remedy = "give it as module:function, importable from here"
    # As for python -m, modules of the working folder can be named.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds texts
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
    except (ImportError, ValueError) as error:
        raise UsageError(f"the answerer cannot be imported: {error}", where=name, remedy=remedy) from error
    finally:
        sys.path.pop(0)
    if not callable(function):
        raise UsageError("the answerer is no function of its module", where=name, remedy=remedy)
    return function  # type: ignore[no-any-return]  # getattr knows no type, and callable() was asked


def answer(request: dict[str, Any], _siblings: dict[str, Any]) -> Any:
    """The built-in answer: a function call where one is demanded, an instance where there is a schema, else text."""
    seed = request_seed(request)
    random = Random(seed)  # noqa: S311 - a deterministic choice, nothing secret
    if call := _demanded_call(request, random):
        return {
            "candidates": [{"content": {"parts": [{"functionCall": call}], "role": "model"}, "finishReason": "STOP"}]
        }
    generation = pick(request, "generationConfig")
    schema, mime_type = answer_schema(generation), _mime_type(generation)
    if schema is not None:
        instance = schema_instance(schema, random)
        return instance if mime_type == "text/x.enum" else msgspec.json.encode(instance).decode()
    text = f"Emulated answer {seed >> 32:08x} to: {_last_text(request)[:_SHOWN_LENGTH]}"
    return msgspec.json.encode({"answer": text}).decode() if mime_type == "application/json" else text


def answer_schema(generation: Any) -> Mapping[str, Any] | None:
    """The schema that a generation config asks answers to follow, in whichever of its places."""
    places = [pick(generation, "responseSchema"), pick(generation, "responseJsonSchema")]
    places += [pick(form, "schema") for form in _text_formats(generation)]
    return next((schema for schema in places if isinstance(schema, Mapping) and schema), None)


def _mime_type(generation: Any) -> str:
    """The MIME type that answers are wanted in, empty where none is named."""
    is_json = any(pick(form, "mimeType") == "APPLICATION_JSON" for form in _text_formats(generation))
    return "application/json" if is_json else str(pick(generation, "responseMimeType") or "")


def _text_formats(generation: Any) -> list[Any]:
    return [pick(form, "text") for form in listed(pick(generation, "responseFormat"))]


def _demanded_call(request: Mapping[str, Any], random: Random) -> dict[str, Any] | None:
    calling = pick(pick(request, "toolConfig"), "functionCallingConfig")
    if str(pick(calling, "mode") or "").upper() != "ANY":
        return None
    tools = [tool for tool in listed(request.get("tools")) if isinstance(tool, Mapping)]
    declared = [each for tool in tools for each in listed(pick(tool, "functionDeclarations"))]
    allowed = pick(calling, "allowedFunctionNames")
    usable = [each for each in declared if isinstance(each, Mapping) and (not allowed or each.get("name") in allowed)]
    if not usable:
        return None
    chosen = random.choice(usable)
    schema = pick(chosen, "parameters") or pick(chosen, "parametersJsonSchema")
    return {"name": chosen.get("name"), "args": schema_instance({"type": "object", **schema}, random) if schema else {}}


def _last_text(request: Mapping[str, Any]) -> str:
    for content in reversed(listed(request.get("contents"))):
        texts = [part["text"] for part in listed(pick(content, "parts")) if isinstance(pick(part, "text"), str)]
        if texts:
            return " ".join(texts[-1].split())
    return ""
