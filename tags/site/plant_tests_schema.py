"""JSON Schema of the files in `tests/` of a site, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tags.site import plant_tests_models as models
from tags.site.schema import URL


def schema() -> dict[str, Any]:
    """The schema of a file of plant tests."""
    named: list[type[BaseModel]] = [models.Plant, models.Test, models.Invariant]
    _, made = models_json_schema([(model, "validation") for model in named], ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = made["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
    test = {
        "if": {"required": ["invariant"]},
        "then": {"$ref": "#/$defs/Invariant"},
        "else": {"$ref": "#/$defs/Test"},
    }
    return {
        "$schema": URL,
        "title": "Closedloop plant tests",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "plant": {"$ref": "#/$defs/Plant", "description": "What all tests of the file have in common."},
            "tests": {
                "type": "object",
                "description": "Tests and invariants by name.",
                "additionalProperties": test,
            },
        },
        "$defs": definitions,
    }
