"""The node's settings: flags first, then ``CONCLAVE_*`` in the environment, then the home's TOML, then defaults.

Every setting is described in ``docs/settings.md``; a test holds the two together. Left out: the authority's own
settings, which are flags of ``conclave authority serve``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from conclave.chat.settings import Settings
from conclave.classic.limits import ClassicLimits
from conclave.errors import NotReady, UsageError
from conclave.files.limits import FileLimits
from conclave.link.limits import LinkLimits
from conclave.lobby.succession import Patience
from conclave.node.paths import config_path
from conclave.pki.address import parse_listen

PREFIX = "CONCLAVE_"
OTHERS = frozenset({"home", "passphrase_file", "passphrase_fd", "vectors", "worlds"})
"""What else may stand behind the prefix: of the command line, and of the tests."""


class NodeSettings(BaseSettings):
    """Settings of a peer's node."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )
    listen: str = Field(default="0.0.0.0:0", description="Where peers reach this node; port 0 picks a free one.")
    announce: str = Field(
        "", description="The address to give to the directory, where it is not the one listened on."
    )
    authority: str = Field(default="", description="The authority's host:port, where it moved since enrolment.")
    read_receipts: bool = Field(default=True, description="Whether others are told what was read here.")
    leader_silence_seconds: float = Field(
        default=10.0,
        ge=5.0,
        le=3600.0,
        description="After so long without a sign of its leader a lobby gets another.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="How much is told on stderr: debug, info, warning, error."
    )
    links: str = Field(
        default="tls", description="The kinds of link: tls, and with tls,classic the legacy suite of the report too."
    )
    link: LinkLimits = Field(default=LinkLimits(), description="Limits of links: the table of section 2.")
    files: FileLimits = Field(default=FileLimits(), description="Limits of files: the table of section 3.")
    classic: ClassicLimits = Field(default=ClassicLimits(), description="Limits of legacy links: section 4.")

    @field_validator("listen")
    @classmethod
    def _can_be_listened_at(cls, listen: str) -> str:
        try:
            parse_listen(listen)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return listen

    @field_validator("links")
    @classmethod
    def _known_links(cls, links: str) -> str:
        names = [name.strip() for name in links.split(",")]
        if len(set(names)) != len(names) or "tls" not in names or set(names) - {"tls", "classic"}:
            raise ValueError("write tls, or tls,classic: TLS is always on, the classic suite is legacy")
        return ",".join(names)

    def conversations(self) -> Settings:
        """The same for the core of conversations."""
        return Settings(read_receipts=self.read_receipts, patience=Patience(silence=self.leader_silence_seconds))

    @property
    def classic_on(self) -> bool:
        """Whether the legacy suite is switched on."""
        return "classic" in self.links.split(",")


def load(home: Path, **flags: Any) -> NodeSettings:
    """The settings of ``home``; ``flags`` that are not None win. Raises ``LocalError`` that names the wrong one."""
    path = config_path(home)
    _demand_known(os.environ)
    if not path.is_file() and os.path.lexists(path):
        raise NotReady(f"{path} is not a file", remedy="remove it, or put the settings there")

    class HomeSettings(NodeSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    try:
        return HomeSettings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")  # what pydantic puts before an error of ours
        if flags.get(where) is not None:
            raise UsageError(f"--{where.replace('_', '-')}: {text}", remedy="conclave up --help") from error
        if first["type"] == "extra_forbidden":
            raise NotReady(
                f"there is no setting {where}", remedy=f"mend {path}: docs/settings.md has them all"
            ) from error
        raise NotReady(f"setting {where}: {text}", remedy=f"mend {path} or the environment") from error
    except (SettingsError, ValueError) as error:
        raise NotReady(f"{path}: {error}", remedy="it must be TOML") from error
    except OSError as error:
        raise NotReady(f"{path} cannot be read: {error.strerror}", remedy="make it yours") from error


def _demand_known(environment: Iterable[str]) -> None:
    """Refuse a variable that is meant as a setting and names none. Raises ``LocalError``."""
    for variable in environment:
        if not variable.upper().startswith(PREFIX):
            continue
        name = variable[len(PREFIX) :].lower()
        section, _, inside = name.partition("__")
        if section in NodeSettings.model_fields or name in OTHERS:
            continue
        near = get_close_matches(section, NodeSettings.model_fields, 1)
        for part in ("link", "files", "classic"):
            if not inside and name.startswith(part + "_"):
                near = [f"{part}__{name.removeprefix(part + '_')}"]
        meant = f"{PREFIX}{near[0].upper()}; " if near else ""
        raise NotReady(
            f"the environment names a setting that does not exist: {variable}",
            remedy=f"{meant}docs/settings.md has them all; inside a section two underscores stand for the dot",
        )
