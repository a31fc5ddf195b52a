"""Run by a kernel when it starts: a shell command that fails is then an error of its cell.

`!command` and `%pip` otherwise pass in silence whatever the command said: all that is left of a
failure is the kernel's variable `_exit_code`.
"""


def _guard() -> None:
    import subprocess

    from IPython import get_ipython

    shell = get_ipython()
    run = shell.system

    def system(command: str, *rest: object, **more: object) -> None:
        run(command, *rest, **more)
        code = shell.user_ns.get("_exit_code", 0)
        if code:
            raise RuntimeError(f"! {command.strip()} ended with {code}")

    def getoutput(command: str, *rest: object, **more: object) -> object:
        from IPython.utils.text import LSString, SList

        command = shell.var_expand(command, depth=1)
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"! {command.strip()} ended with {done.returncode}")
        said = done.stdout.rstrip("\n")
        return SList(said.splitlines()) if more.get("split", True) else LSString(said)

    shell.system, shell.getoutput = system, getoutput


_guard()
del _guard
