"""Gitea's and Forgejo's REST API, below `/api/v1`."""

from typing import Any

from aiohttp import web

from slipway_testing.git_hosts.front import Handler, Refused, absolute
from slipway_testing.git_hosts.github import GitHubLike
from slipway_testing.git_hosts.model import KnownCommit


class GiteaFront(GitHubLike):
    prefix = "/api/v1"
    page_name = "limit"
    events = frozenset(
        {"create", "delete", "fork", "push", "issues", "issue_comment", "pull_request", "pull_request_sync", "release"}
    )

    def token_of(self, request: web.Request) -> str | None:
        login = request.headers.get("Authorization")
        if login is None:
            return None
        scheme, _, token = login.partition(" ")
        return token if scheme in ("token", "Bearer") else ""

    def routes(self) -> list[tuple[str, str, Handler]]:
        base = "/repos/{owner}/{name}"
        return [
            *super().routes(),
            ("GET", f"{base}/branches/{{branch:.+}}", self.branch),
            ("GET", f"{base}/git/commits/{{id}}", self.commit),
            ("GET", f"{base}/compare/{{base:[^.]+}}...{{head}}", self.compare),
            ("POST", f"{base}/statuses/{{id:[0-9a-f]{{40}}}}", self.status),
        ]

    def error(self, status: int, message: str) -> web.Response:
        return web.json_response({"message": message, "url": f"{self.url}/api/swagger"}, status=status)

    async def branch(self, request: web.Request) -> web.Response:
        commit = self.here(request).branches.get(request.match_info["branch"])
        if commit is None:
            raise Refused(404, "branch does not exist")
        return web.json_response({"name": request.match_info["branch"], "commit": {"id": commit}})

    def _shown(self, commit: KnownCommit) -> dict[str, Any]:
        author = {"name": "Ada", "email": "ada@example.org", "date": "2026-01-02T03:04:05Z"}
        return {
            "sha": commit.id,
            "commit": {"message": commit.message, "author": author},
            "files": [{"filename": path, "status": "modified"} for path in commit.paths],
        }

    async def commit(self, request: web.Request) -> web.Response:
        found = self.here(request).find(request.match_info["id"])
        if found is None:
            raise Refused(404, "commit does not exist")
        return web.json_response(self._shown(found))

    async def compare(self, request: web.Request) -> web.Response:
        between = self.here(request).between(request.match_info["base"], request.match_info["head"])
        return web.json_response({"total_commits": len(between), "commits": [self._shown(one) for one in between]})

    async def status(self, request: web.Request) -> web.Response:
        repository, id = self.here(request), request.match_info["id"]
        may = {"state": str, "context": str, "description": str, "target_url": str}
        body = await self.body(request, {}, may)
        self.one_of(body.get("state", ""), ("pending", "success", "error", "failure", "warning"))
        absolute(body.get("target_url", "https://"))
        repository.statuses.append((id, body))
        return web.json_response({"id": next(self.hosted.ids), "status": body["state"]}, status=201)

    async def hook_body(self, request: web.Request) -> dict[str, Any]:
        may = {"active": bool, "events": list}
        body = await self.body(request, {"type": str, "config": dict}, may)
        self.one_of(body["type"], ("gitea", "forgejo", "slack", "discord"))
        return {"active": False, "events": ["push"], **body}
