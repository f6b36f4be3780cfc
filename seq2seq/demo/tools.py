"""The page's API as tools for language models: Gradio's MCP server, where the package `mcp` is installed."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from typing import Any

import gradio.mcp


class Tools(gradio.mcp.GradioMCPServer):
    """Gradio's server with two things other than it has them.

    Answers are JSON; its own are as Python prints a dict. And `/batch` is no tool: this server would fetch the file from any
    address that a caller names, past the page's limit of size.
    """

    def get_tool_to_endpoint(self) -> dict[str, str]:
        return {tool: endpoint for tool, endpoint in super().get_tool_to_endpoint().items() if endpoint != "/batch"}

    def postprocess_output_data(self, data: list[Any], root_url: str) -> list[Any]:
        return [self.types.TextContent(type="text", text=json.dumps(output, ensure_ascii=False)) for output in data]


def wanted() -> bool:
    """Whether the page shall offer tools: the package is there, and GRADIO_MCP_SERVER does not say no."""
    return find_spec("mcp") is not None and os.environ.get("GRADIO_MCP_SERVER", "true").lower() == "true"


def offer_tools() -> None:
    """From now on such a server is what Gradio starts."""
    gradio.mcp.GradioMCPServer = Tools
