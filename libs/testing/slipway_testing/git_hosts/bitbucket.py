"""Bitbucket Cloud's REST API, below `/2.0`: pages by the address of the next one, hashes of twelve digits."""

from typing import Any

from aiohttp import web

from slipway_testing.git_hosts.front import Front, Handler, Refused, absolute
from slipway_testing.git_hosts.model import KnownHook, KnownRequest, Repository

STATES = ("SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED")
EVENTS = (
    "repo:push",
    "pullrequest:created",
    "pullrequest:updated",
    "pullrequest:fulfilled",
    "pullrequest:rejected",
    "pullrequest:comment_created",
)


class BitbucketFront(Front):
    prefix = "/2.0"

    def token_of(self, request: web.Request) -> str | None:
        login = request.headers.get("Authorization")
        if login is None:
            return None
        scheme, _, token = login.partition(" ")
        return token if scheme == "Bearer" else ""

    def error(self, status: int, message: str) -> web.Response:
        return web.json_response({"type": "error", "error": {"message": message}}, status=status)

    def here(self, request: web.Request) -> Repository:
        return self.repository(f"{request.match_info['owner']}/{request.match_info['name']}")

    def routes(self) -> list[tuple[str, str, Handler]]:
        base = "/repositories/{owner}/{name}"
        return [
            ("GET", f"{base}/refs/branches/{{branch:.+}}", self.branch),
            ("GET", f"{base}/commit/{{commit}}", self.commit),
            ("GET", f"{base}/diffstat/{{spec}}", self.diffstat),
            ("POST", f"{base}/commit/{{commit}}/statuses/build", self.status),
            ("GET", f"{base}/pullrequests", self.requests),
            ("GET", f"{base}/pullrequests/{{number:\\d+}}", self.request),
            ("GET", f"{base}/pullrequests/{{number:\\d+}}/comments", self.comments),
            ("POST", f"{base}/pullrequests/{{number:\\d+}}/comments", self.add_comment),
            ("PUT", f"{base}/pullrequests/{{number:\\d+}}/comments/{{comment:\\d+}}", self.edit_comment),
            ("GET", f"{base}/hooks", self.list_hooks),
            ("POST", f"{base}/hooks", self.add_hook),
            ("PUT", f"{base}/hooks/{{hook:[^/]+}}", self.edit_hook),
        ]

    def paged(self, request: web.Request, items: list[Any]) -> web.Response:
        size = int(request.query.get("pagelen", "10"))
        page = int(request.query.get("page", "1"))
        answer: dict[str, Any] = {"pagelen": size, "values": items[(page - 1) * size : page * size]}
        if len(items) > page * size:
            answer["next"] = f"{self.url}{request.rel_url.update_query(page=str(page + 1))}"
        return web.json_response(answer)

    async def branch(self, request: web.Request) -> web.Response:
        commit = self.here(request).branches.get(request.match_info["branch"])
        if commit is None:
            raise Refused(404, "No such branch")
        return web.json_response({"name": request.match_info["branch"], "target": {"hash": commit}})

    async def commit(self, request: web.Request) -> web.Response:
        found = self.here(request).find(request.match_info["commit"])
        if found is None:
            raise Refused(404, "Commit not found")
        author = {"raw": "Ada <ada@example.org>"}
        shown = {"hash": found.id, "message": found.message, "date": "2026-01-02T03:04:05+00:00", "author": author}
        return web.json_response(shown)

    async def diffstat(self, request: web.Request) -> web.Response:
        head, _, base = request.match_info["spec"].partition("..")
        between = self.here(request).between(base, head)
        paths = sorted({path for commit in between for path in commit.paths})
        return self.paged(request, [{"old": {"path": path}, "new": {"path": path}} for path in paths])

    async def status(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), request.match_info["commit"]
        if id not in repository.commits:
            raise Refused(404, "Commit not found")
        may = {"name": str, "description": str, "refname": str}
        body = await self.body(request, {"key": str, "state": str, "url": str}, may)
        if body["state"] not in STATES or len(body["key"]) > 40:
            raise Refused(400, "Bad request")
        absolute(body["url"])
        repository.statuses.append((id, body))
        return web.json_response({"uuid": f"{{{next(self.hosted.ids)}}}", **body}, status=201)

    def _shown(self, repository: Repository, one: KnownRequest) -> dict[str, Any]:
        source = one.source
        return {
            "id": one.number,
            "state": "OPEN" if one.open else "MERGED" if one.merged else "DECLINED",
            "title": one.title,
            "links": {"html": {"href": f"{self.url}/{repository.path}/pull-requests/{one.number}"}},
            "author": {"nickname": one.author},
            "source": {
                "branch": {"name": one.source_branch},
                "commit": {"hash": repository.head_of(one)[:12]} if repository.head_of(one) else None,
                "repository": {"full_name": source.path} if source else None,
            },
            "destination": {"branch": {"name": one.target_branch}, "repository": {"full_name": repository.path}},
        }

    async def requests(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        self.one_of(request.query.get("state", "OPEN"), ("OPEN", "MERGED", "DECLINED", "SUPERSEDED"))
        return self.paged(request, [self._shown(repository, one) for one in repository.requests.values() if one.open])

    async def request(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        return web.json_response(self._shown(repository, self.asked_for(repository, request)))

    async def comments(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        number = self.asked_for(repository, request).number
        listed = [
            {"id": id, "content": {"raw": text}} for id, (of, text) in repository.comments.items() if of == number
        ]
        return self.paged(request, listed)

    async def _text(self, request: web.Request) -> str:
        content = (await self.body(request, {"content": dict}, {}))["content"]
        if set(content) != {"raw"} or not content["raw"]:
            raise Refused(400, "content: raw is required")
        return str(content["raw"])

    async def add_comment(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        number = self.asked_for(repository, request).number
        id, text = next(self.hosted.ids), await self._text(request)
        repository.comments[id] = (number, text)
        return web.json_response({"id": id, "content": {"raw": text}}, status=201)

    async def edit_comment(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), int(request.match_info["comment"])
        if id not in repository.comments:
            raise Refused(404, "Comment not found")
        text = await self._text(request)
        repository.comments[id] = (repository.comments[id][0], text)
        return web.json_response({"id": id, "content": {"raw": text}})

    async def list_hooks(self, request: web.Request) -> web.Response:
        return self.paged(request, [self._shown_hook(hook) for hook in self.here(request).hooks.values()])

    def _shown_hook(self, hook: KnownHook) -> dict[str, Any]:
        shown = {name: value for name, value in hook.body.items() if name != "secret"}
        return {"uuid": hook.id, "secret_set": bool(hook.body.get("secret")), **shown}

    async def _hook(self, request: web.Request) -> dict[str, Any]:
        needs = {"url": str, "events": list, "description": str, "active": bool}
        body = await self.body(request, needs, {"secret": str})
        absolute(body["url"])
        for event in body["events"]:
            self.one_of(event, EVENTS)
        return body

    async def add_hook(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), f"{{hook-{next(self.hosted.ids)}}}"
        repository.hooks[id] = KnownHook(id, await self._hook(request))
        return web.json_response(self._shown_hook(repository.hooks[id]), status=201)

    async def edit_hook(self, request: web.Request) -> web.Response:
        hook = self.here(request).hooks.get(request.match_info["hook"])
        if hook is None:
            raise Refused(404, "Hook not found")
        hook.body = await self._hook(request)
        return web.json_response(self._shown_hook(hook))
