"""Detection: which files make which plan."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.specs import ServiceKind, ServiceSpec
from slipway_engine.plan import LOOKED_FOR, BuildPlan, StartKind, Tree, detect, procfile
from slipway_engine.problems import NoPlan

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napp: FastAPI = FastAPI()\n"


def spec(**fields: object) -> ServiceSpec:
    return ServiceSpec(**{"id": "s", "kind": ServiceKind.APPLICATION, "name": "web", "label": "web", **fields})  # type: ignore[arg-type]


def plan(files: dict[str, str], **fields: object) -> BuildPlan:
    return detect(Tree(frozenset(files), files), spec(**fields))


def shown(found: BuildPlan) -> tuple[str, list[str], str]:
    command = " ".join(found.start.command) if found.start else ""
    return found.language, [install.tool for install in found.installs], command


def package(**fields: object) -> str:
    return json.dumps({"name": "x", **fields})


PYTHON = "python -m"
CASES: list[tuple[dict[str, str], tuple[str, list[str], str]]] = [
    ({"Procfile": "web: ./run --port $PORT"}, ("procfile", [], "./run --port $PORT")),
    ({"Procfile": "web: python app.py", "app.py": ""}, ("python", ["pip"], "python app.py")),
    ({"Procfile": "web: x", "requirements.txt": "flask"}, ("python", ["pip"], "x")),
    ({"requirements.txt": "", "app.py": "print()"}, ("python", ["pip"], "python app.py")),
    ({"requirements.txt": "", "main.py": "print()"}, ("python", ["pip"], "python main.py")),
    ({"app.py": "print()"}, ("python", ["pip"], "python app.py")),
    (
        {"requirements.txt": "Flask==3", "app.py": FLASK},
        ("python", ["pip"], f"{PYTHON} flask --app app:app run --host 127.0.0.1 --port $PORT"),
    ),
    (
        {"requirements.txt": "flask\ngunicorn>=20", "wsgi.py": "from x import y\napplication = y()\n"},
        ("python", ["pip"], f"{PYTHON} gunicorn wsgi:application --bind 127.0.0.1:$PORT --access-logfile -"),
    ),
    (
        {"requirements.txt": "fastapi\nuvicorn[standard]", "main.py": FASTAPI},
        ("python", ["pip"], f"{PYTHON} uvicorn main:app --host 127.0.0.1 --port $PORT"),
    ),
    (
        {"pyproject.toml": '[project]\nname="x"\ndependencies=["fastapi", "uvicorn"]\n', "app.py": FASTAPI},
        ("python", ["pip"], f"{PYTHON} uvicorn app:app --host 127.0.0.1 --port $PORT"),
    ),
    ({"pyproject.toml": "[project]", "uv.lock": "", "main.py": ""}, ("python", ["uv"], "python main.py")),
    ({"pyproject.toml": "[tool.poetry]", "poetry.lock": "", "main.py": ""}, ("python", ["pip"], "python main.py")),
    (
        {"requirements.txt": "django", "manage.py": ""},
        ("python", ["pip"], "python manage.py runserver 127.0.0.1:$PORT --noreload --insecure"),
    ),
    ({"package.json": package(scripts={"start": "node x.js"})}, ("node", [], "node x.js")),
    (
        {"package.json": package(scripts={"start": "node x.js", "prestart": "y"})},
        ("node", [], "npm start"),
    ),
    ({"package.json": package(main="lib/x.js")}, ("node", [], "node ./lib/x.js")),
    ({"package.json": package(), "server.js": ""}, ("node", [], "node ./server.js")),
    (
        {"package.json": package(dependencies={"a": "1"}), "package-lock.json": "{}", "index.js": ""},
        ("node", ["npm"], "node ./index.js"),
    ),
    (
        {"package.json": package(dependencies={"a": "1"}), "pnpm-lock.yaml": "lockfileVersion: '9.0'", "index.js": ""},
        ("node", ["pnpm"], "node ./index.js"),
    ),
    (
        {"package.json": package(dependencies={"a": "1"}), "yarn.lock": "# yarn lockfile v1", "index.js": ""},
        ("node", ["yarn"], "node ./index.js"),
    ),
    (
        {"package.json": package(dependencies={"a": "1"}), "yarn.lock": "__metadata:\n  version: 8", "index.js": ""},
        ("node", ["yarn-berry"], "node ./index.js"),
    ),
    ({"index.html": "hi"}, ("static", [], ".")),
    ({"index.html": "hi", "Dockerfile": "FROM x"}, ("static", [], ".")),
    ({"index.html": "hi", "app.py": ""}, ("static", [], ".")),
    (
        {"Procfile": "web: x", "requirements.txt": "", "package.json": package(devDependencies={"vite": "5"})},
        ("python+node", ["pip", "npm"], "x"),
    ),
]


@pytest.mark.parametrize(("files", "wanted"), CASES, ids=[", ".join(sorted(files)) for files, _ in CASES])
def test_what_is_found(files: dict[str, str], wanted: tuple[str, list[str], str]) -> None:
    assert shown(plan(files)) == wanted


def test_nothing_runnable_says_what_was_looked_for() -> None:
    with pytest.raises(NoPlan) as refusal:
        plan({"README.md": "", "src/": ""})
    assert all(one in refusal.value.details for one in LOOKED_FOR)
    assert "README.md" in refusal.value.detail


def test_python_without_a_start_names_the_procfile() -> None:
    with pytest.raises(NoPlan, match=r"Procfile with a line `web: <command>`"):
        plan({"requirements.txt": "flask", "lib.py": ""})


def test_a_dockerfile_without_a_tool_is_refused_by_name() -> None:
    with pytest.raises(NoPlan, match="podman, buildah or docker") as refusal:
        plan({"Dockerfile": "FROM x"})
    assert refusal.value.stable_code == "build.no_container_tool"


def test_docker_is_built_where_it_was_asked_for_and_there_is_a_tool() -> None:
    files = {"Dockerfile": "FROM x", "requirements.txt": ""}
    found = detect(
        Tree(frozenset(files), files),
        spec(build_mode="DOCKER", dockerfile_path="Dockerfile"),
        container_tool="podman",
    )
    assert (found.language, found.dockerfile) == ("docker", "Dockerfile")


def test_the_services_own_command_wins_over_everything() -> None:
    found = plan({"Procfile": "web: x"}, entrypoint="python", arguments=["-m", "http.server", "$PORT"])
    assert found.start is not None
    assert (found.start.kind, found.start.command) == (StartKind.COMMAND, ("python", "-m", "http.server", "$PORT"))


def test_a_build_line_of_the_procfile_runs_after_the_build_script() -> None:
    found = plan({"Procfile": "build: make\nweb: x", "package.json": package(scripts={"build": "vite"})})
    assert found.build_commands == ("npm run build", "make")


def test_a_build_without_a_start_is_a_static_site() -> None:
    found = plan({"package.json": package(scripts={"build": "vite build"}, devDependencies={"vite": "5"})})
    assert found.start is None
    assert "dist" in found.static_output


@pytest.mark.parametrize("scripts", [{"postinstall": "x"}, {"prepare": "x"}], ids=["postinstall", "prepare"])
def test_an_install_that_runs_scripts_of_the_source_gets_the_whole_source(scripts: dict[str, str]) -> None:
    found = plan({"package.json": package(dependencies={"a": "1"}, scripts={**scripts, "start": "x"})})
    assert found.installs[0].whole_source


@pytest.mark.parametrize("line", ["-r base.txt", "-e .", ".", "./lib", "--constraint=c.txt"])
def test_requirements_that_name_other_files_get_the_whole_source(line: str) -> None:
    assert plan({"requirements.txt": f"flask\n{line}\n", "app.py": ""}).installs[0].whole_source


HASH = "sha256:" + "0" * 64
POETRY = f"""
[[package]]
name = "flask"
version = "3.0"
optional = false
groups = ["main"]
markers = "python_version >= '3.8'"
files = [{{file = "flask.whl", hash = "{HASH}"}}]

[[package]]
name = "pytest"
version = "8"
optional = false
groups = ["dev"]
files = [{{file = "pytest.whl", hash = "{HASH}"}}]
"""


def test_a_poetry_lock_is_installed_as_locked_without_what_only_developers_need() -> None:
    (install,) = plan({"pyproject.toml": "[tool.poetry]", "poetry.lock": POETRY, "main.py": ""}).installs
    assert install.requirements == (f"flask==3.0 ; python_version >= '3.8' --hash={HASH}",)
    assert (install.tool, install.complete) == ("pip", True)


@pytest.mark.parametrize(
    "changed", [POETRY + '[package.source]\ntype = "git"\n', POETRY.replace('"3.0"', '"3.0 --index-url=x"')]
)
def test_a_lock_that_pip_can_not_be_told_is_left_to_poetry(changed: str) -> None:
    changed = changed.replace('groups = ["dev"]', 'groups = ["main"]')
    (install,) = plan({"pyproject.toml": "[tool.poetry]", "poetry.lock": changed, "main.py": ""}).installs
    assert install.tool == "poetry"


def test_a_pinned_package_manager_is_the_one_used() -> None:
    files = {
        "package.json": package(dependencies={"a": "1"}, packageManager="pnpm@8.6.1"),
        "pnpm-lock.yaml": "",
        "index.js": "",
    }
    assert plan(files).installs[0].tool_version == "8.6.1"


@pytest.mark.parametrize("main", ["../../etc/passwd", "-e process.exit()", "a b.js", "x; rm", "$(x)"])
def test_a_main_that_is_no_plain_path_is_not_started(main: str) -> None:
    with pytest.raises(NoPlan):
        plan({"package.json": package(main=main)})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web: a\nworker: b\n", {"web": "a", "worker": "b"}),
        ("# web: a\n", {}),
        ("web:a\r\nweb: second\r\n", {"web": "a"}),
        ("web a\n: x\nweb:\n", {}),
    ],
)
def test_procfiles(text: str, found: dict[str, str]) -> None:
    assert procfile(text) == found


NAMES = st.sampled_from(
    ["Procfile", "package.json", "pnpm-lock.yaml", "yarn.lock", "requirements.txt", "pyproject.toml", "uv.lock",
     "poetry.lock", "index.html", "Dockerfile", "app.py", "manage.py", "src/"]
)  # fmt: skip


TEXTS = st.text(max_size=200) | st.sampled_from(["{}", "[]", "null", "[project]", "web: x", "[[["])


@given(st.dictionaries(NAMES, TEXTS))
def test_whatever_the_files_hold_there_is_a_plan_or_a_refusal(files: dict[str, str]) -> None:
    with contextlib.suppress(NoPlan):
        found = plan(files)
        assert found.start is not None or found.static_output
        assert plan(files) == found
