"""The page's API as tools for language models: Gradio's MCP server, where the package `mcp` is installed."""

from __future__ import annotations

import asyncio
import json
import os
from importlib.util import find_spec
from typing import Any

import gradio.mcp

FORWARDING = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers in which a proxy names who asks."""


class Tools(gradio.mcp.GradioMCPServer):
    """Gradio's server with four things other than it has them.

    Answers are JSON; its own are as Python prints a dict. `/batch` is no tool: this server would fetch the file from any
    address that a caller names, past the page's limit of size. A call waits for its answer without a thread: this same server
    computes it in one, and when forty calls wait in threads there is none left. And the server asks itself in the name of who
    calls, whatever the call says of that: the guard counts by it, and believes what this machine says.
    """

    def get_tool_to_endpoint(self) -> dict[str, str]:
        return {tool: endpoint for tool, endpoint in super().get_tool_to_endpoint().items() if endpoint != "/batch"}

    async def _execute_tool_without_progress(self, job: Any) -> list[Any]:
        return [await asyncio.wrap_future(job.future)]

    def _prepare_tool_call_args(
        self, name: str, arguments: dict[str, Any]
    ) -> tuple[str, list[Any], dict[str, str], Any]:
        endpoint, values, headers, function = super()._prepare_tool_call_args(name, arguments)
        asked = self.mcp_server.request_context.request
        client = asked.client.host if asked is not None and asked.client else "unknown"
        kept = {key: value for key, value in headers.items() if key.lower() not in FORWARDING}
        return endpoint, values, kept | {"x-forwarded-for": client}, function

    def postprocess_output_data(self, data: list[Any], root_url: str) -> list[Any]:
        return [self.types.TextContent(type="text", text=json.dumps(output, ensure_ascii=False)) for output in data]


def wanted() -> bool:
    """Whether the page shall offer tools: the package is there, and GRADIO_MCP_SERVER does not say no."""
    return find_spec("mcp") is not None and os.environ.get("GRADIO_MCP_SERVER", "true").lower() == "true"


def offer_tools() -> None:
    """From now on such a server is what Gradio starts."""
    gradio.mcp.GradioMCPServer = Tools  # ty: ignore[invalid-assignment]
