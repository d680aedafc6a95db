"""JSON Schema of the YAML files, for editors: completion and checks while typing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tags.site import function_models, models
from tags.site.block_keys import KEYS

URL = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of any file of a site folder."""
    named: list[type[BaseModel]] = [
        models.Head,
        models.Device,
        models.Template,
        models.Tag,
        models.Use,
        models.Schedule,
        models.Display,
        models.Sink,
        *function_models.BLOCKS.values(),
    ]
    _, made = models_json_schema([(model, "validation") for model in named], ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = made["$defs"]
    definitions["Motor"]["properties"].pop("group", None)
    for definition in definitions.values():
        definition.pop("title", None)
    for name, model in function_models.BLOCKS.items():
        for key, text in KEYS[name].items():
            properties = definitions[model.__name__]["properties"]
            _describe(properties, key, text)
    head = definitions.pop("Head")
    blocks = [{"$ref": f"#/$defs/{model.__name__}"} for model in function_models.BLOCKS.values()]
    addition = {
        "type": "object",
        "not": {"required": ["block"]},
        "description": "Adds to what a template supervises.",
    }
    head["properties"].update(
        {
            "devices": _named({"$ref": "#/$defs/Device"}, "PLCs and other devices."),
            "templates": _named({"$ref": "#/$defs/Template"}, "What several tags have in common."),
            "tags": _named(
                {
                    "if": {"required": ["use"]},
                    "then": {"$ref": "#/$defs/Use"},
                    "else": {"$ref": "#/$defs/Tag"},
                },
                "The points of the plant by path: area/unit/point.",
            ),
            "schedules": _named({"$ref": "#/$defs/Schedule"}, "Weekly schedules."),
            "control": _named({"anyOf": [*blocks, addition]}, "Blocks of the control program by path."),
            "displays": _named({"$ref": "#/$defs/Display"}, "Pictures."),
            "sinks": _named({"$ref": "#/$defs/Sink"}, "Databases that history is forwarded to."),
        }
    )
    return {
        "$schema": URL,
        "title": "Closedloop site",
        "type": "object",
        "additionalProperties": False,
        "properties": head["properties"],
        "$defs": definitions,
    }


def _describe(properties: dict[str, Any], key: str, text: str) -> None:
    """Puts the meaning of a key before what its kind of value says of itself."""
    found = properties[key]
    own = found.get("description")
    found["description"] = text if own is None else f"{text}. {own}"


def _named(value: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": value}
