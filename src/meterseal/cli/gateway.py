"""`meterseal gateway`: a sealed front for a broker or any service, and its other end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterseal.cli.inputs import Protocol
from meterseal.cli.options import Crls, PasswordFile

app = typer.Typer(help="Seal the way to a broker or any TCP service.", no_args_is_help=True)
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="File of settings.")]
_DEFAULT = Path("meterseal.toml")


@app.command()
def run(config: ConfigOption = _DEFAULT) -> None:
    """Run the gateway of the settings until Ctrl-C."""
    from meterseal.cli import up

    up.run("gateway", config)


@app.command()
def seal(
    target: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The sealed far end.")],
    ca: Annotated[Path, typer.Option("--ca", help="Trusted roots, PEM.")],
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where plain clients connect.")
    ] = "127.0.0.1:1883",
    cert: Annotated[Path | None, typer.Option("--cert", help="Our certificate chain.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Our private key.")] = None,
    enc_key: Annotated[
        Path | None, typer.Option("--enc-key", help="Key of the encryption certificate.")
    ] = None,
    protocol: Annotated[Protocol, typer.Option("--protocol")] = Protocol.AUTO,
    server_name: Annotated[
        str | None, typer.Option("--server-name", help="Name the far end must prove.")
    ] = None,
    crl: Crls = None,
    password_file: PasswordFile = None,
) -> None:
    """Take plain connections and pass each on sealed, for clients that cannot seal."""
    import asyncio
    import contextlib

    from meterseal.cli.inputs import load_credential, load_crls, load_trust, offered_suites
    from meterseal.cli.up import until_signal
    from meterseal.collection.config import split_address
    from meterseal.net.gateway import Tail
    from meterseal.transport import ClientConfig

    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key go together")
    credential = None
    if cert is not None and key is not None:
        credential = load_credential(cert, key, password_file, None, enc_key)
    config = ClientConfig(
        trust=load_trust(ca),
        suites=offered_suites(protocol),
        credential=credential,
        crls=load_crls(crl),
    )

    async def serve() -> None:
        tail = Tail(config, *split_address(target), server_name)
        host, port = await tail.start(*split_address(listen))
        typer.echo(f"plain connections to {host}:{port} go sealed to {target}")
        try:
            await asyncio.Event().wait()
        finally:
            await tail.close()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_signal(serve()))
