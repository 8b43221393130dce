"""Certificates for tests, made by openssl when they are needed: an authority, a server, clients good and bad."""

import pathlib
import subprocess


def openssl(folder, *arguments, stdin=None):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, input=stdin)


class Authority:
    """A certificate authority in a folder; `issue` makes NAME.key and NAME.crt beside it."""

    def __init__(self, folder, name="ca", subject="/CN=Test CA"):
        self.folder, self.name = pathlib.Path(folder), name
        openssl(self.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.crt", "-days", "30", "-subj", subject)
        self.certificate = self.folder / f"{name}.crt"

    def issue(self, name, subject, extensions="", days=20):
        """`days=-1` has expired. Returns the paths of certificate and key."""
        openssl(self.folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", subject)
        extension_file = self.folder / f"{name}.ext"
        extension_file.write_text(extensions)
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.crt", "-CAkey",
                f"{self.name}.key", "-CAcreateserial", "-out", f"{name}.crt", "-days", str(days), "-extfile",
                str(extension_file))
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def revocation_list(self, *revoked):
        """A CRL that names the certificates; returns its path."""
        (self.folder / "index.txt").write_text("")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n")
        common = ["ca", "-config", "ca.cnf", "-cert", f"{self.name}.crt", "-keyfile", f"{self.name}.key"]
        for certificate in revoked:
            openssl(self.folder, *common, "-revoke", str(certificate))
        openssl(self.folder, *common, "-gencrl", "-out", "crl.pem")
        return self.folder / "crl.pem"
