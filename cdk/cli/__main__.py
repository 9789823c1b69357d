"""``python -m cdk.cli``: the same as the installed ``trending-now``."""

from cdk.cli.main import app

if __name__ == "__main__":
    app()
