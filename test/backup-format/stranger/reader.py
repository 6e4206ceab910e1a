#!/usr/bin/python3
"""Restores a backup from a repository in a folder. Written from docs/backup-format.md alone, to try whether that is enough.

    reader.py FOLDER DOMAIN BACKUP KIND SECRET-FILE > volume

KIND is key-file, passphrase, recovery-key or key-manager; the file holds the secret as that page says (a key manager's: 64 hex digits).
"""
import hashlib, hmac, json, os, struct, sys, unicodedata
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def main(folder, domain, backup, kind, secret_file):
    repository = Repository(folder, kind, open(secret_file, encoding="utf8").read())
    for piece in repository.restore(domain, backup):
        sys.stdout.buffer.write(piece)


def hkdf(key, salt, info):
    """RFC 5869 with SHA-256; 32 bytes are one block."""
    extracted = hmac.digest(salt if salt else bytes(32), key, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")


def expect(holds, what):
    if not holds:
        sys.exit("damaged: " + what)


class Repository:
    def __init__(self, folder, kind, secret):
        self.folder = folder
        described = json.loads(self.get("repo.json"))
        self.version, self.id, self.page_entries = described["version"], described["repoId"], described["pageEntries"]
        expect(described["format"] == "volflow-backup" and self.version in (1, 2), "repo.json")
        master = self.master_key(kind, secret)
        text = "volflow-backup|%d|%s|%d|%d" % (self.version, self.id, described["chunkBytes"], self.page_entries)
        seal = hmac.new(hkdf(master, self.id.encode(), "volflow/v1/seal"), text.encode(), "sha256")
        expect(hmac.compare_digest(seal.hexdigest(), described["seal"]), "the seal of repo.json")
        self.root = hkdf(master, self.id.encode(), "volflow/v1/repository")

    def get(self, key):
        with open(os.path.join(self.folder, key), "rb") as file:
            return file.read()

    def master_key(self, kind, secret):
        for name in sorted(os.listdir(os.path.join(self.folder, "keys"))):
            try:
                slot = json.loads(self.get("keys/" + name).split(b"\n")[0])
            except ValueError:
                continue
            if (slot["repoId"], slot["id"], slot["kind"]) != (self.id, name, kind):
                continue
            wrapping = hkdf(secret_bytes(slot, secret), self.id.encode(), "volflow/v1/slot/" + name)
            bound = "volflow-key-slot|1|%s|%s|%s" % (self.id, name, kind)
            try:
                return AESGCM(wrapping).decrypt(bytes.fromhex(slot["nonce"]), bytes.fromhex(slot["wrapped"]), bound.encode())
            except InvalidTag:
                continue
        sys.exit("no key slot opens with this " + kind)

    def open(self, root, key):
        sealed = self.get(key)
        magic, version, codec, zero, plain_length, length = struct.unpack("<4sBBHII", sealed[:16])
        expect((magic, version, zero) == (b"VFBO", 1, 0) and len(sealed) == 60 + length, key)
        session = hkdf(hkdf(root, b"", "volflow/v1/data"), sealed[16:32], "volflow/v1/session")
        bound = "volflow-backup|1|%s|%s|%d|%d" % (self.id, key, codec, plain_length)
        try:
            packed = AESGCM(session).decrypt(sealed[32:44], sealed[44:], bound.encode())
        except InvalidTag:
            expect(False, key)
        plain = zstandard.ZstdDecompressor().decompress(packed, plain_length) if codec == 1 else packed
        expect(len(plain) == plain_length, key)
        return plain

    def open_content(self, root, key):
        """A chunk or an index page: its name says what its bytes are."""
        plain = named = self.open(root, key)
        if self.version == 2:
            keys = [hkdf(root, b"", "volflow/v2/digest-%d" % number) for number in (1, 2)]
            named = b"".join(AESGCM(digest).encrypt(bytes(12), b"", plain) for digest in keys)
        name = hmac.new(hkdf(root, b"", "volflow/v1/id"), named, "sha256").hexdigest()
        expect(name == key.rsplit("/", 1)[1].split(".")[0], key)
        return plain

    def domain_root(self, domain):
        for key in ("domains/" + domain, "d/%s/key" % domain):
            try:
                return bytes.fromhex(json.loads(self.open(self.root, key))["rootKey"])
            except (SystemExit, OSError):
                continue
        sys.exit("damaged: both copies of the key of " + domain)

    def restore(self, domain, backup):
        root = self.domain_root(domain)
        record = json.loads(self.open(root, "d/%s/r/%s" % (domain, backup)))
        expect(record["state"] == "committed", "backup %s is %s" % (backup, record["state"]))
        size, chunk_size, chunk = record["sizeBytes"], record["chunkBytes"], 0
        for name in record["pages"]:
            page = None if name is None else self.open_content(root, "d/%s/s/%s/%s" % (domain, name[:2], name))
            for entry in range(min(self.page_entries, -(-size // chunk_size) - chunk)):
                length = min(chunk_size, size - chunk * chunk_size)
                yield self.chunk(root, domain, page and page[entry * 40 : entry * 40 + 40], length)
                chunk += 1
        expect(chunk == -(-size // chunk_size), "the list of pages")

    def chunk(self, root, domain, entry, length):
        if entry is None or entry == bytes(40):
            return bytes(length)
        name = "%s.%d" % (entry[:32].hex(), struct.unpack("<I", entry[32:36])[0])
        plain = self.open_content(root, "d/%s/c/%s/%s" % (domain, name[:2], name))
        expect(len(plain) == length, name)
        return plain


def secret_bytes(slot, text):
    if slot["kind"] == "passphrase":
        cost, passphrase = slot["scrypt"], unicodedata.normalize("NFC", text.rstrip("\n"))
        n, r, p, salt = cost["n"], cost["r"], cost["p"], bytes.fromhex(cost["salt"])
        return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)
    if slot["kind"] == "recovery-key":
        digits = "".join(filter(str.isdigit, text))
        return b"".join(struct.pack(">H", int(digits[at : at + 6]) // 11) for at in range(0, 48, 6))
    return bytes.fromhex(text.strip())


main(*sys.argv[1:])
