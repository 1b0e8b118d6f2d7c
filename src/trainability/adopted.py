"""Foreign components: anybody's subclass of a registry's base class, checked and given its name and fingerprint.

The class that a configuration names as `package.module:Class` is used through a subclass with two more fields: `name`
is that text, and `fingerprint` stands for its source. Both are part of the identity of every cell that uses it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from trainability import foreign
from trainability.component import Component, suggest
from trainability.foreign import ForeignError

C = TypeVar("C", bound=Component)

FINGERPRINT = "fingerprint"
Name = Annotated[str, Field(pattern=foreign.PATTERN)]


class Own(BaseModel):
    """A class of your own: `name` is module:Class, the other keys are its parameters. For the JSON schema alone."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": {}})

    name: Name


def adopt(name: str, base: type[C], required: Iterable[str]) -> type[C]:
    """The subclass of the class that `name` means, once it is fit for use; raises ForeignError.

    It must be a subclass of `base`, define what is `required`, and call no parameter as `base` calls something else.
    """
    found = foreign.load(name)
    wanted = f"a subclass of trainability.api.{base.__name__}"
    if not isinstance(found, type):
        raise ForeignError(f"{name} is no class but of type {type(found).__name__}: expected {wanted}")
    if not issubclass(found, base) or found is base:
        raise ForeignError(f"{name} is not {wanted}")
    missing = [item for item in required if getattr(found, item, None) is getattr(base, item, None)]
    if missing:
        raise ForeignError(f"{name} does not define {' and '.join(missing)}")
    own = [key for key in found.model_fields if key not in base.model_fields]
    taken = [key for key in own if key == FINGERPRINT or hasattr(base, key)]
    if taken:
        raise ForeignError(
            f"{name} has a parameter called {' and '.join(taken)}, which means something else in every "
            f"{base.__name__}: choose another name, or override it as a property"
        )
    written = {kind.__module__ for kind in found.__mro__ if issubclass(kind, Component)}
    theirs = {module for module in written if module.partition(".")[0] != "trainability"}
    return _named(found, name, foreign.fingerprint({name.partition(":")[0], *theirs}))


def parametrised(kind: type[C], values: Mapping[str, Any]) -> C:
    """A foreign component with its parameters; raises ValidationError or PydanticCustomError.

    The parameters must survive being written as JSON, since that is what names a cell and what a worker gets.
    """
    try:
        component = kind.model_validate_json(_json(values))
        again = kind.model_validate_json(_json(component.model_dump(mode="json")))
    except ValidationError as error:
        details = [_explained(kind, detail) for detail in error.errors()]
        raise ValidationError.from_exception_data(error.title, details) from None
    except PydanticCustomError:
        raise
    except Exception as error:  # in a validator of theirs
        problem = f"{type(error).__name__}: {error}{foreign.place(error, kind.__module__)}"
        raise PydanticCustomError(
            "foreign", "{name} raised {problem}", {"name": name_of(kind), "problem": problem}
        ) from None
    if again != component:
        raise PydanticCustomError("not_json", "its parameters are not the same once written as JSON and read", {})
    return component


def name_of(kind: type[Component]) -> str:
    """The text that names an adopted class."""
    return str(kind.model_fields["name"].get_default())


@functools.cache
def _named(found: type[C], name: str, fingerprint: str) -> type[C]:
    """The class with its two more fields; cached, so that equal components are of the same class."""

    def unchanged(given: str) -> str:
        if given != fingerprint:
            raise PydanticCustomError(
                "changed_source",
                "{name} was changed: its source is {found} now; plan again to use that, or restore the source",
                {"name": name, "found": fingerprint},
            )
        return given

    fields: Any = {
        "name": (Literal[name], name),
        FINGERPRINT: (Annotated[str, AfterValidator(unchanged)], fingerprint),
    }
    return create_model(found.__name__, __base__=found, __module__=found.__module__, __doc__=found.__doc__, **fields)


def _json(values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(values)
    except TypeError as error:
        raise PydanticCustomError("not_json", "parameters must be JSON: {problem}", {"problem": str(error)}) from None


def _explained(kind: type[Component], detail: ErrorDetails) -> InitErrorDetails:
    """A mistake in a parameter, told in the same words as pydantic's or, of an unknown one, with the known."""
    error_type, message, place = detail["type"], detail["msg"], detail["loc"]
    if error_type == "extra_forbidden" and len(place) == 1:
        allowed = [key for key in kind.model_fields if key not in ("name", FINGERPRINT)]
        known = f"{suggest(str(place[0]), allowed)}allowed are {', '.join(allowed)}" if allowed else "it has none"
        error_type, message = "unknown_parameter", f"no parameter of {name_of(kind)}: {known}"
    problem = PydanticCustomError(error_type, "{message}", {"message": message})
    return InitErrorDetails(type=problem, loc=place, input=detail["input"])
