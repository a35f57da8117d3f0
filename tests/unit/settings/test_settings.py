"""Settings: one name everywhere, the stronger source wins, and whatever cannot be used is named with its source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ConfigError
from dispatcher.settings import Secret, Settings, configuration_table, describe, load_settings
from engine import EngineSettings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, so that no configuration file of the developer's is read."""
    monkeypatch.chdir(tmp_path)


def load(environ: dict[str, str] | None = None, **options: Any) -> Settings:
    return load_settings(environ=environ or {}, **options)


def refusal(environ: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(environ, **options)
    return str(caught.value)


def test_without_any_source_everything_has_its_default() -> None:
    settings = load()
    assert settings == Settings()
    assert {origin for _, _, origin in settings.rows()} == {"default"}
    assert (settings.base_url, settings.spool, settings.listen) == (
        "https://api.hellotracks.com",
        "dispatcher.spool.db",
        "127.0.0.1:8080",
    )


def test_the_stronger_source_wins_and_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text('policy = "none"\nspool = "a.db"\naccount = "acme"\nlimits = "10/s"\n')
    settings = load(
        {"DISPATCHER_SPOOL": "b.db", "DISPATCHER_ACCOUNT": "beta"},
        config=file,
        flags={"account": "gamma", "limits": None},
        overrides={"limits": ""},
    )
    assert (settings.policy, settings.spool, settings.account, settings.limits) == ("none", "b.db", "gamma", "")
    assert settings.origin("policy") == f"file {file}"
    assert settings.origin("spool") == "variable DISPATCHER_SPOOL"
    assert settings.origin("account") == "flag --account"
    assert settings.origin("limits") == "argument limits"
    assert settings.origin("timezone") == "default"


def test_the_file_is_the_named_one_else_the_variables_else_the_one_that_lies_there(tmp_path: Path) -> None:
    for name in ("named.toml", "variable.toml", "dispatcher.toml"):
        (tmp_path / name).write_text(f'account = "{name}"\n')
    variable = {"DISPATCHER_CONFIG": str(tmp_path / "variable.toml")}
    assert load(variable, config=tmp_path / "named.toml").account == "named.toml"
    assert load(variable).account == "variable.toml"
    assert load({"DISPATCHER_CONFIG": ""}).account == "dispatcher.toml"


@pytest.mark.parametrize("info", describe(), ids=lambda info: info.name)
def test_every_setting_can_be_set_in_each_place_under_its_one_name(info: Any, tmp_path: Path) -> None:
    samples: dict[str, tuple[str, str]] = {
        "base_url": ("http://127.0.0.1:9", '"http://127.0.0.1:9"'),
        "timezone": ("Europe/Rome", '"Europe/Rome"'),
        "limits": ("10/s, 300/min", '"10/s, 300/min"'),
        "listen": ("[::1]:80", '"[::1]:80"'),
        "default_shift": ("22:00-06:00", '"22:00-06:00"'),
        "member_skills": ('{"ann": ["lift"]}', "{ann = ['lift']}"),
        "tile_url": ("https://t.example/{z}/{x}/{y}.png", '"https://t.example/{z}/{x}/{y}.png"'),
    }
    samples |= {one.name: ("key.txt", '"key.txt"') for one in describe() if one.name.endswith("_file")}
    samples["clients"] = ('{"shop": "K.2"}', "{shop = 'K.2'}")
    (tmp_path / "key.txt").write_text("K.1\n")
    if info.choices:
        text, toml = info.choices[-1], f'"{info.choices[-1]}"'
    elif info.kind in {"whole", "number"}:
        text, toml = (str(int(info.high)),) * 2
    elif info.kind == "switch":
        text, toml = "true", "true"
    elif info.kind == "list":
        text, toml = "a, b", '["a", "b"]'
    else:
        text, toml = samples.get(info.name, ("text", '"text"'))
    (tmp_path / "x.toml").write_text(f"{info.name} = {toml}\n")
    by_file = load(config=tmp_path / "x.toml")
    by_variable = load({info.variable: text})
    by_flag = load(flags={info.flag: text})
    by_name = load(flags={info.name: text})
    assert getattr(by_file, info.name) != info.default
    assert by_file == by_variable == by_flag == by_name
    assert by_variable.origin(info.name) == f"variable DISPATCHER_{info.name.upper()}"


def test_the_pages_tokens_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" R.1 \n")
    settings = load({"DISPATCHER_READ_TOKEN_FILE": str(tmp_path / "token"), "DISPATCHER_ACT_TOKEN": "A.1"})
    assert (settings.read_token, settings.act_token) == (Secret("R.1"), Secret("A.1"))
    assert "both set" in refusal({"DISPATCHER_ACT_TOKEN": "A.1", "DISPATCHER_ACT_TOKEN_FILE": "token"})


@pytest.mark.parametrize(
    "value", ["tiles", "https://t.example/{z}/{x}.png", "https://t.example;x/{z}/{x}/{y}", "//t/{x}{y}{z}"]
)
def test_an_address_of_map_images_that_cannot_be_one_is_refused(value: str) -> None:
    """What stands there becomes part of a header of the page."""
    assert "tile_url must" in refusal({"DISPATCHER_TILE_URL": value})


def test_an_unknown_name_is_named_with_its_source_and_the_nearest_one(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text("polcy = 'none'\n")
    assert refusal(config=file) == f"file {file}: polcy is not a setting; did you mean policy?"
    assert (
        refusal({"DISPATCHER_SPOOOL": "x"})
        == "variable DISPATCHER_SPOOOL is not a setting; did you mean DISPATCHER_SPOOL?"
    )
    assert refusal({"DISPATCHER_spool": "x"}).startswith("variable DISPATCHER_spool is not a setting")
    assert refusal({"DISPATCHER_CONFIGS": "x"}).startswith("variable DISPATCHER_CONFIGS is not a setting")
    assert refusal(flags={"max_batch_job": "1"}).endswith("did you mean --max-batch-jobs?")
    assert refusal(overrides={"qqq": 1}) == "argument qqq is not a setting"


def test_variables_of_the_tests_and_of_others_are_left_alone() -> None:
    assert load({"DISPATCHER_TEST_POSTGRES": "x", "OTHER": "y", "DISPATCH": "z"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("policy", "neerest", 'must be one of nearest, least_detour, none, not "neerest"'),
        ("fallback", "", "must be one of autoassign, unassigned, hold"),
        ("working_hours_unit", "hours", "one of hhmm, minutes"),
        ("stale_location", "maybe", "one of use, ignore"),
        ("max_batch_jobs", "0", "must be from 1 to 10000, is 0"),
        ("max_batch_jobs", "many", "must be a whole number, not 'many'"),
        ("max_batch_jobs", "2.5", "must be a whole number"),
        ("max_batch_jobs", "9" * 5000, "must be a whole number"),
        ("max_concurrency", "1001", "must be from 1 to 1000"),
        ("request_timeout_s", "nan", "must be a number"),
        ("request_timeout_s", "", "must be a number, not ''"),
        ("shutdown_grace_s", "0", "must be from 0.01"),
        ("circuity", "-1", "must be from 0.1 to 100, is -1"),
        ("send_route_change", "perhaps", "must be true, false or empty"),
        ("member_skills", "[1]", "must be a table of lists"),
        ("member_skills", "{", "must be a JSON object"),
        ("member_skills", '{"ann": 5}', "ann: must be a list of texts"),
        ("timezone", "Europe/Roma", "must be an IANA zone such as Europe/Rome"),
        ("timezone", "../etc/passwd", "must be an IANA zone"),
        ("limits", "10 per s", "is not a limit"),
        ("default_shift", "8-17", "must be HH:MM-HH:MM"),
        ("default_shift", "08:60-17:00", "must be HH:MM-HH:MM"),
        ("default_shift", "08:00-24:01", "must be HH:MM-HH:MM"),
        ("listen", "8080", "must be HOST:PORT"),
        ("listen", "::1:8080", "stands in brackets"),
        ("listen", "localhost:65536", "must be HOST:PORT"),
        ("account", " ", "must not be empty"),
        ("spool", "", "must not be empty"),
        ("base_url", "api.hellotracks.com", "must be a URL such as"),
        ("base_url", "ftp://h", "must be a URL such as"),
        ("base_url", "https://h/?a=1", "without query"),
        ("base_url", "https://h/#", "without query"),
        ("base_url", "http://h:99999", "is not a URL"),
        ("base_url", "http://[::1", "is not a URL"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name_and_source(name: str, value: str, words: str) -> None:
    message = refusal({f"DISPATCHER_{name.upper()}": value})
    assert message.startswith(f"variable DISPATCHER_{name.upper()}: {name} ")
    assert words in message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_batch_jobs = true", "must be a whole number, not True"),
        ("max_batch_jobs = 1.0", "must be a whole number, not 1.0"),
        ("policy = 1", "must be a text, not 1"),
        ("assignable_roles = [1]", "must be a list of texts"),
        ("member_skills = 'x'", "must be a JSON object"),
        ("api_key = 5", "api_key must be a text"),
        ("circuity = inf", "must be a number"),
        ("policy =", "is not TOML"),
        ("policy = 'none'\npolicy = 'none'", "is not TOML"),
    ],
)
def test_the_file_is_read_with_types(line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text(line)
    message = refusal()
    assert words in message
    assert "dispatcher.toml" in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "missing.toml cannot be read: No such file" in refusal(config=tmp_path / "missing.toml")
    assert "cannot be read" in refusal(config=tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'account = "Z\xfcrich"')
    assert "is not UTF-8: byte 13" in refusal(config=tmp_path / "latin.toml")


def test_the_key_is_never_printed(tmp_path: Path) -> None:
    settings = load({"DISPATCHER_API_KEY": " ABC.secret\n"})
    assert settings.api_key.reveal() == "ABC.secret"
    assert "secret" not in f"{settings} {settings!r} {settings.rows()}"
    for bad in ("top secret", "secr\x00et", "secrét"):
        assert "secr" not in refusal({"DISPATCHER_API_KEY": bad})
    assert "hunter2" not in refusal({"DISPATCHER_BASE_URL": "https://me:hunter2@host"})


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("\n ABC.1 \n")
    settings = load({"DISPATCHER_API_KEY_FILE": str(file)})
    assert settings.api_key == Secret("ABC.1")
    assert settings.origin("api_key") == f"file {file}"


def test_of_key_and_key_file_the_stronger_source_counts(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("FILE.1")
    (tmp_path / "dispatcher.toml").write_text('api_key_file = "key"')
    assert load().api_key == Secret("FILE.1")
    assert load({"DISPATCHER_API_KEY": "ENV.1"}).api_key == Secret("ENV.1")
    assert load({"DISPATCHER_API_KEY": "ENV.1"}, flags={"api_key_file": "key"}).api_key == Secret("FILE.1")
    assert load({"DISPATCHER_API_KEY": ""}).api_key == Secret("FILE.1")
    assert "both set" in refusal({"DISPATCHER_API_KEY": "ENV.1", "DISPATCHER_API_KEY_FILE": "key"})
    (tmp_path / "dispatcher.toml").write_text('api_key_file = "key"\napi_key = "x"')
    assert "both set" in refusal()


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b" \n", "is empty"), (b"\xff", "is not text")]
)
def test_a_bad_key_file_is_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    message = refusal(flags={"api-key-file": "key"})
    assert message.startswith("flag --api-key-file: the API key file key ")
    assert words in message


def test_settings_can_be_based_on_others(tmp_path: Path) -> None:
    """What code built by hand or loaded before stays, with its origins; neither file nor environment is asked again."""
    (tmp_path / "key").write_text("FILE.1")
    base = load({"DISPATCHER_POLICY": "none", "DISPATCHER_API_KEY_FILE": "key"})
    (tmp_path / "key").unlink()
    changed = load_settings(base=base, environ={"DISPATCHER_ACCOUNT": "not read"}, overrides={"spool": "x.db"})
    assert (changed.policy, changed.spool, changed.account) == ("none", "x.db", "default")
    assert changed.api_key == Secret("FILE.1")
    assert changed.origin("policy") == "variable DISPATCHER_POLICY"
    by_hand = load_settings(base=Settings(policy="least_detour"), overrides={"max_batch_jobs": 7})
    assert (by_hand.policy, by_hand.max_batch_jobs) == ("least_detour", 7)


def test_settings_built_by_hand_are_checked_too() -> None:
    with pytest.raises(ConfigError, match="default: policy must be one of"):
        Settings(policy="best")


def test_the_engine_gets_its_part() -> None:
    settings = load(
        flags={
            "policy": "least_detour",
            "timezone": "Europe/Rome",
            "member_skills": '{"ann": ["lift"]}',
            "circuity": "1",
        }
    )
    assert settings.engine() == EngineSettings(
        policy="least_detour", timezone="Europe/Rome", member_skills={"ann": ("lift",)}, circuity=1.0
    )
    assert load(flags={"policy": "none"}).engine().policy == "nearest"


def test_every_setting_of_the_engine_has_its_name_here() -> None:
    names = {info.name: info.default for info in describe()}
    for name in EngineSettings.__dataclass_fields__:
        assert getattr(EngineSettings(), name) == names[name]


def test_the_table_has_a_row_for_every_setting() -> None:
    lines = configuration_table().splitlines()
    assert len(lines) == 2 + len(describe())
    assert "| `max_batch_jobs` | `200` | account, live | Jobs in one request at most. From 1 to 10000. |" in lines
    assert all(line.count("|") - line.count("\\|") == 5 for line in lines)


def test_every_setting_says_where_it_may_be_set_and_what_it_does() -> None:
    for info in describe():
        assert info.where == f"{info.name} in the TOML file, {info.variable}, {info.flag} or --set {info.name}=VALUE"
        assert info.help.endswith(".")
        assert info.unit == {"_s": "s", "_km": "km"}.get(info.name[info.name.rfind("_") :], info.unit)


def test_importing_the_settings_loads_nothing_heavy() -> None:
    """The command line's help must come in a moment, so it must not pay for the engine or the network."""
    code = (
        "import sys, dispatcher.settings as s; s.describe(); s.load_settings(environ={});"
        "heavy = {'numpy', 'sklearn', 'numba', 'aiohttp', 'engine', 'asyncio', 'msgspec', 'orjson'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/", env={"PYTHONPATH": str(root)}
    )
    assert done.stdout.strip() == "[]"
