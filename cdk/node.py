"""Where Node comes from: the CDK's libraries run on it, and a wheel brings it, so the machine needs none of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def use_bundled_node() -> Path:
    """Point jsii at the environment's own Node; call it before anything imports ``aws_cdk``.

    A path that the caller's environment already names in ``JSII_NODE`` stays.

    Returns
    -------
    Path
        The Node executable that jsii will start.

    Raises
    ------
    FileNotFoundError
        If the virtual environment holds no Node.
    """
    if named := os.environ.get("JSII_NODE"):
        return Path(named)
    node = Path(sys.prefix) / ("node.exe" if os.name == "nt" else "bin/node")
    if not node.is_file():
        message = f"no Node at {node}: install the extra 'cdk', which brings it"
        raise FileNotFoundError(message)
    os.environ["JSII_NODE"] = str(node)
    return node
