import typer

app = typer.Typer()


@app.command("x")
def command() -> None:
    """Todo"""
