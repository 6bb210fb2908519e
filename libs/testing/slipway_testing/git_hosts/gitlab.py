"""GitLab's REST API, below `/api/v4`: projects by id or by their path with every slash encoded."""

from typing import Any

from aiohttp import web

from slipway_testing.git_hosts.front import Front, Handler, Refused, absolute
from slipway_testing.git_hosts.model import KnownHook, KnownRequest, Repository

SWITCHES = ("push_events", "tag_push_events", "merge_requests_events", "note_events", "pipeline_events")


class GitLabFront(Front):
    prefix = "/api/v4"

    def token_of(self, request: web.Request) -> str | None:
        bearer = request.headers.get("Authorization")
        if bearer is not None and bearer.startswith("Bearer "):
            return bearer.removeprefix("Bearer ")
        return request.headers.get("PRIVATE-TOKEN")

    def error(self, status: int, message: str) -> web.Response:
        return web.json_response({"message": f"{status} {message}" if status < 422 else message}, status=status)

    def here(self, request: web.Request) -> Repository:
        id = request.match_info["id"]
        raw = request.rel_url.raw_path.split("/projects/", 1)[1].split("/")[0]
        if "/" in raw:
            raise Refused(404, "Project Not Found")
        for repository in self.hosted.repositories.values():
            if str(repository.id) == id:
                return repository
        return self.repository(id)

    def routes(self) -> list[tuple[str, str, Handler]]:
        base = "/projects/{id:[^/]+(?:%2F[^/]+)*|.+?}"
        return [
            ("GET", f"{base}/repository/branches/{{branch:.+}}", self.branch),
            ("GET", f"{base}/repository/commits/{{commit}}", self.commit),
            ("GET", f"{base}/repository/compare", self.compare),
            ("POST", f"{base}/statuses/{{commit}}", self.status),
            ("GET", f"{base}/merge_requests", self.requests),
            ("GET", f"{base}/merge_requests/{{number:\\d+}}", self.request),
            ("GET", f"{base}/merge_requests/{{number:\\d+}}/notes", self.notes),
            ("POST", f"{base}/merge_requests/{{number:\\d+}}/notes", self.add_note),
            ("PUT", f"{base}/merge_requests/{{number:\\d+}}/notes/{{note:\\d+}}", self.edit_note),
            ("GET", f"{base}/hooks", self.list_hooks),
            ("POST", f"{base}/hooks", self.add_hook),
            ("PUT", f"{base}/hooks/{{hook:\\d+}}", self.edit_hook),
            ("GET", base, self.project),
        ]

    async def project(self, request: web.Request) -> web.Response:
        found = self.here(request)
        url = f"{self.url}/{found.path}.git"
        return web.json_response({"id": found.id, "path_with_namespace": found.path, "http_url_to_repo": url})

    async def branch(self, request: web.Request) -> web.Response:
        commit = self.here(request).branches.get(request.match_info["branch"])
        if commit is None:
            raise Refused(404, "Branch Not Found")
        return web.json_response({"name": request.match_info["branch"], "commit": {"id": commit}})

    async def commit(self, request: web.Request) -> web.Response:
        found = self.here(request).find(request.match_info["commit"])
        if found is None:
            raise Refused(404, "Commit Not Found")
        author = {"author_name": "Ada", "author_email": "ada@example.org", "authored_date": "2026-01-02T03:04:05.000Z"}
        return web.json_response({"id": found.id, "message": found.message, **author})

    async def compare(self, request: web.Request) -> web.Response:
        between = self.here(request).between(request.query["from"], request.query["to"])
        paths = sorted({path for commit in between for path in commit.paths})
        diffs = [{"old_path": path, "new_path": path} for path in paths]
        return web.json_response({"diffs": diffs, "compare_timeout": False})

    async def status(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), request.match_info["commit"]
        if id not in repository.commits:
            raise Refused(404, "Commit Not Found")
        may = {"name": str, "context": str, "description": str, "target_url": str, "ref": str}
        body = await self.body(request, {"state": str}, may)
        self.one_of(body["state"], ("pending", "running", "success", "failed", "canceled", "skipped"))
        absolute(body.get("target_url", "https://"))
        mine = [known for at, known in repository.statuses if at == id and known["name"] == body["name"]]
        if mine and mine[-1]["state"] == body["state"] in ("pending", "running"):
            raise Refused(400, f"Cannot transition status via :run from :{body['state']} (Reason(s): Status cannot)")
        repository.statuses.append((id, body))
        return web.json_response({"id": next(self.hosted.ids), "status": body["state"]}, status=201)

    def _shown(self, repository: Repository, one: KnownRequest) -> dict[str, Any]:
        return {
            "iid": one.number,
            "state": "opened" if one.open else "merged" if one.merged else "closed",
            "source_branch": one.source_branch,
            "target_branch": one.target_branch,
            "source_project_id": one.source.id if one.source else None,
            "target_project_id": repository.id,
            "sha": repository.head_of(one) or None,
            "title": one.title,
            "web_url": f"{self.url}/{repository.path}/-/merge_requests/{one.number}",
            "author": {"username": one.author},
        }

    async def requests(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        self.one_of(request.query.get("state", "all"), ("opened", "closed", "locked", "merged", "all"))
        listed = [one for one in repository.requests.values() if one.open]
        return web.json_response([self._shown(repository, one) for one in self.page(request, listed, "per_page")])

    async def request(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        return web.json_response(self._shown(repository, self.asked_for(repository, request)))

    async def notes(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        number = self.asked_for(repository, request).number
        listed = [{"id": id, "body": text} for id, (of, text) in repository.comments.items() if of == number]
        return web.json_response(self.page(request, listed, "per_page"))

    async def add_note(self, request: web.Request) -> web.Response:
        repository = self.here(request)
        number = self.asked_for(repository, request).number
        body = await self.body(request, {"body": str}, {})
        id = next(self.hosted.ids)
        repository.comments[id] = (number, body["body"])
        return web.json_response({"id": id, "body": body["body"]}, status=201)

    async def edit_note(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), int(request.match_info["note"])
        number = self.asked_for(repository, request).number
        if id not in repository.comments:
            raise Refused(404, "Note Not Found")
        body = await self.body(request, {"body": str}, {})
        repository.comments[id] = (number, body["body"])
        return web.json_response({"id": id, "body": body["body"]})

    async def list_hooks(self, request: web.Request) -> web.Response:
        listed = [self._shown_hook(hook) for hook in self.here(request).hooks.values()]
        return web.json_response(self.page(request, listed, "per_page"))

    def _shown_hook(self, hook: KnownHook) -> dict[str, Any]:
        shown = {name: value for name, value in hook.body.items() if name != "token"}
        return {"id": int(hook.id), "alert_status": "executable", **dict.fromkeys(SWITCHES, False), **shown}

    async def _hook(self, request: web.Request) -> dict[str, Any]:
        may = {"token": str, "enable_ssl_verification": bool, **dict.fromkeys(SWITCHES, bool)}
        body = await self.body(request, {"url": str}, may)
        absolute(body["url"])
        return body

    async def add_hook(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), str(next(self.hosted.ids))
        repository.hooks[id] = KnownHook(id, {"push_events": True, **await self._hook(request)})
        return web.json_response(self._shown_hook(repository.hooks[id]), status=201)

    async def edit_hook(self, request: web.Request) -> web.Response:
        hook = self.here(request).hooks.get(request.match_info["hook"])
        if hook is None:
            raise Refused(404, "Not Found")
        hook.body |= await self._hook(request)
        return web.json_response(self._shown_hook(hook))
