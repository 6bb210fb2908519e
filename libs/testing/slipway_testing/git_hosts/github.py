"""GitHub's REST API (Enterprise Server's path `/api/v3`), and the part of it that Gitea copied."""

from typing import Any

from aiohttp import web

from slipway_testing.git_hosts.front import Front, Handler, Refused, absolute
from slipway_testing.git_hosts.model import KnownDelivery, KnownHook, KnownRequest, Repository

EVENTS = frozenset(
    {"push", "pull_request", "issue_comment", "create", "delete", "release", "status", "registry_package", "ping"}
)


class GitHubLike(Front):
    """Requests, comments and hooks as both have them."""

    page_name = "per_page"
    events = EVENTS

    def here(self, request: web.Request) -> Repository:
        return self.repository(f"{request.match_info['owner']}/{request.match_info['name']}")

    def routes(self) -> list[tuple[str, str, Handler]]:
        base = "/repos/{owner}/{name}"
        return [
            ("GET", f"{base}/pulls", self.pulls),
            ("GET", f"{base}/pulls/{{number:\\d+}}", self.pull),
            ("GET", f"{base}/issues/{{number:\\d+}}/comments", self.comments),
            ("POST", f"{base}/issues/{{number:\\d+}}/comments", self.add_comment),
            ("PATCH", f"{base}/issues/comments/{{id:\\d+}}", self.edit_comment),
            ("GET", f"{base}/hooks", self.list_hooks),
            ("POST", f"{base}/hooks", self.add_hook),
            ("PATCH", f"{base}/hooks/{{id:\\d+}}", self.edit_hook),
        ]

    def shown(self, repository: Repository, one: KnownRequest) -> dict[str, Any]:
        source = one.source
        return {
            "number": one.number,
            "state": "open" if one.open else "closed",
            "merged": one.merged,
            "title": one.title,
            "html_url": f"{self.url}/{repository.path}/pull/{one.number}",
            "user": {"login": one.author},
            "head": {
                "ref": one.source_branch,
                "sha": repository.head_of(one),
                "repo": self._shown_repository(source) if source else None,
            },
            "base": {
                "ref": one.target_branch,
                "sha": repository.branches.get(one.target_branch, ""),
                "repo": self._shown_repository(repository),
            },
        }

    def _shown_repository(self, repository: Repository) -> dict[str, Any]:
        return {"full_name": repository.path, "clone_url": f"{self.url}/{repository.path}.git"}

    async def pulls(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        state = request.query.get("state", "open")
        listed = [one for one in repository.requests.values() if state == "all" or one.open == (state == "open")]
        return web.json_response([self.shown(repository, one) for one in self.page(request, listed, self.page_name)])

    async def pull(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        return web.json_response(self.shown(repository, self.asked_for(repository, request)))

    async def comments(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        number = self.asked_for(repository, request).number
        listed = [{"id": id, "body": text} for id, (of, text) in repository.comments.items() if of == number]
        return web.json_response(self.page(request, listed, self.page_name))

    async def add_comment(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        number = self.asked_for(repository, request).number
        body = await self.body(request, {"body": str}, {})
        id = next(self.hosted.ids)
        repository.comments[id] = (number, body["body"])
        return web.json_response({"id": id, "body": body["body"]}, status=201)

    async def edit_comment(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), int(request.match_info["id"])
        if id not in repository.comments:
            raise Refused(404, "Not Found")
        body = await self.body(request, {"body": str}, {})
        repository.comments[id] = (repository.comments[id][0], body["body"])
        return web.json_response({"id": id, "body": body["body"]})

    async def list_hooks(self, request: web.Request) -> web.Response:
        listed = [self.shown_hook(hook) for hook in self.here(request).hooks.values()]
        return web.json_response(self.page(request, listed, self.page_name))

    def shown_hook(self, hook: KnownHook) -> dict[str, Any]:
        config = dict(hook.body["config"]) | ({"secret": "********"} if hook.body["config"].get("secret") else {})
        return {"id": int(hook.id), "active": hook.body["active"], "events": hook.body["events"], "config": config}

    def check_hook(self, body: dict[str, Any]) -> None:
        absolute(body["config"].get("url", ""))
        self.one_of(body["config"].get("content_type", "form"), ("json", "form"))
        for event in body["events"]:
            self.one_of(event, sorted(self.events))

    async def add_hook(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        body = await self.hook_body(request)
        self.check_hook(body)
        if any(known.body["config"]["url"] == body["config"]["url"] for known in repository.hooks.values()):
            raise Refused(422, "Hook already exists on this repository")
        id = str(next(self.hosted.ids))
        repository.hooks[id] = KnownHook(id, body)
        return web.json_response(self.shown_hook(repository.hooks[id]), status=201)

    async def hook_body(self, request: web.Request) -> dict[str, Any]:
        raise NotImplementedError

    async def edit_hook(self, request: web.Request) -> web.Response:
        hook = self.here(request).hooks.get(request.match_info["id"])
        if hook is None:
            raise Refused(404, "Not Found")
        changed = await self.body(request, {}, {"active": bool, "events": list, "config": dict})
        self.check_hook(hook.body | changed)
        hook.body |= changed
        return web.json_response(self.shown_hook(hook))


class GitHubFront(GitHubLike):
    prefix = "/api/v3"

    def token_of(self, request: web.Request) -> str | None:
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            raise Refused(400, "Unknown API version")
        if request.headers.get("Accept") != "application/vnd.github+json":
            raise Refused(415, "Unsupported 'Accept' header")
        login = request.headers.get("Authorization")
        if login is None:
            return None
        scheme, _, token = login.partition(" ")
        return token if scheme in ("Bearer", "token") else ""

    def routes(self) -> list[tuple[str, str, Handler]]:
        base = "/repos/{owner}/{name}"
        return [
            *super().routes(),
            ("GET", f"{base}/git/ref/heads/{{branch:.+}}", self.ref),
            ("GET", f"{base}/commits/{{id}}", self.commit),
            ("GET", f"{base}/compare/{{base:[^.]+}}...{{head}}", self.compare),
            ("POST", f"{base}/statuses/{{id:[0-9a-f]{{40}}}}", self.status),
            ("GET", f"{base}/hooks/{{id:\\d+}}/deliveries", self.deliveries),
            ("POST", f"{base}/hooks/{{id:\\d+}}/deliveries/{{delivery:\\d+}}/attempts", self.again),
        ]

    async def ref(self, request: web.Request) -> web.Response:
        branch = request.match_info["branch"]
        commit = self.here(request).branches.get(branch)
        if commit is None:
            raise Refused(404, "Not Found")
        return web.json_response({"ref": f"refs/heads/{branch}", "object": {"sha": commit, "type": "commit"}})

    async def commit(self, request: web.Request) -> web.Response:
        found = self.here(request).find(request.match_info["id"])
        if found is None:
            raise Refused(422, "No commit found for SHA")
        author = {"name": "Ada", "email": "ada@example.org", "date": "2026-01-02T03:04:05Z"}
        return web.json_response({"sha": found.id, "commit": {"message": found.message, "author": author}})

    async def compare(self, request: web.Request) -> web.Response:
        between = self.here(request).between(request.match_info["base"], request.match_info["head"])
        paths = sorted({path for commit in between for path in commit.paths})
        files = [{"filename": path, "status": "modified"} for path in paths[:300]]
        return web.json_response({"total_commits": len(between), "files": files})

    async def status(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), request.match_info["id"]
        if id not in repository.commits:
            raise Refused(422, "No commit found for SHA")
        body = await self.body(request, {"state": str}, {"context": str, "description": str, "target_url": str})
        self.one_of(body["state"], ("error", "failure", "pending", "success"))
        if len(body.get("description", "")) > 140:
            raise Refused(422, "description is too long (maximum is 140 characters)")
        absolute(body.get("target_url", "https://"))
        repository.statuses.append((id, body))
        return web.json_response({"id": next(self.hosted.ids), **body}, status=201)

    async def hook_body(self, request: web.Request) -> dict[str, Any]:
        may = {"name": str, "active": bool, "events": list}
        body = await self.body(request, {"config": dict}, may)
        self.one_of(body.get("name", "web"), ("web",))
        return {"active": True, "events": ["push"], **body}

    async def deliveries(self, request: web.Request) -> web.Response:
        shown = [
            {"id": one.id, "guid": one.guid, "status_code": one.status_code, "redelivery": False}
            for one in self.here(request).deliveries
        ]
        return web.json_response(self.page(request, shown, "per_page"))

    async def again(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), int(request.match_info["delivery"])
        tried = next((one for one in repository.deliveries if one.id == id), None)
        if tried is None:
            raise Refused(404, "Not Found")
        repository.asked_again.append(id)
        repository.deliveries.insert(0, KnownDelivery(next(self.hosted.ids), tried.guid, 202))
        return web.json_response({}, status=202)
