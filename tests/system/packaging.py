#!/usr/bin/env python3
"""Checks of the Dockerfile and of everything under deploy/ that need no container engine and no cluster.

Needs the packages of requirements.txt, and systemd-analyze. `tests/run` sets both up.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from fnmatch import fnmatch
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/ninjaone-proxy"
UID = 65532
EXPOSURE_MAX = 20  # tenths, as systemd-analyze takes it
KUBERNETES_VERSIONS = ["1.29", "1.37"]


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)
    return done.returncode, (done.stdout + done.stderr).strip()


def kustomized(folder):
    """The objects that `kubectl kustomize` makes of it, and the secrets that a reader puts there."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place) / "it"
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("secrets"))
        (place / "secrets").mkdir()
        for one in yaml.safe_load((place / "kustomization.yaml").read_text())["secretGenerator"]:
            for file in one["files"]:
                (place / file.split("=")[-1]).write_bytes(b"\xffa secret")
        done = subprocess.run(["kubectl", "kustomize", place], capture_output=True, text=True, timeout=60, check=True)
        return list(yaml.safe_load_all(done.stdout))


def ignored(file):
    return run("git", "-C", ROOT, "check-ignore", "-q", file)[0] == 0


def instructions(text):
    """(instruction, arguments) of each line of a Dockerfile, continuations joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines()]


def sources(arguments):
    """What a COPY takes, without flags and destination."""
    return [word for word in arguments.split() if not word.startswith("--")][:-1]


class Image(unittest.TestCase):
    def setUp(self):
        self.all = instructions((ROOT / "Dockerfile").read_text())
        last = max(i for i, (name, _) in enumerate(self.all) if name == "FROM")
        self.build, self.final = self.all[:last], self.all[last:]

    def one(self, name):
        found = [arguments for other, arguments in self.final if other == name]
        self.assertEqual(len(found), 1, f"{name} in the last stage: {found}")
        return found[0]

    def test_the_linter_has_nothing_to_say(self):
        code, said = run(TOOLS / "hadolint", ROOT / "Dockerfile")
        self.assertEqual((code, said), (0, ""))

    def test_the_image_is_nothing_but_the_binary_and_its_directories(self):
        self.assertEqual(self.one("FROM"), "scratch")
        self.assertNotIn("RUN", [name for name, _ in self.final])
        self.assertTrue(self.one("COPY").endswith("/image /"))
        self.assertEqual(self.one("USER"), f"{UID}:{UID}")

    def test_every_command_of_the_image_is_the_binary_without_a_shell(self):
        self.assertEqual(self.one("ENTRYPOINT"), '["/ninjaone-proxy"]')
        self.assertEqual(self.one("CMD"), '["run"]')
        self.assertTrue(self.one("HEALTHCHECK").endswith('CMD ["/ninjaone-proxy", "healthcheck"]'))

    def test_the_toolchain_of_the_image_is_the_one_that_is_pinned(self):
        channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
        self.assertIn(f"rust:{channel}-", self.build[0][1])

    def test_what_the_build_copies_exists_and_is_not_ignored(self):
        rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
        self.assertEqual(rules[0], "*")
        copied = [path for name, arguments in self.build if name == "COPY" for path in sources(arguments)]
        self.assertIn("Cargo.lock", copied)
        for path in copied:
            self.assertTrue((ROOT / path).exists(), path)
            self.assertTrue(any(fnmatch(path, rule[1:]) for rule in rules[1:] if rule.startswith("!")), f"{path} is ignored")

    def test_the_version_is_the_same_everywhere(self):
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
        kustomization = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())
        self.assertEqual(kustomization["images"][0]["newTag"], version)
        compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
        self.assertEqual(compose["services"]["ninjaone-proxy"]["image"], f"ninjaone-proxy:{version}")


class Systemd(unittest.TestCase):
    unit = DEPLOY / "systemd/ninjaone-proxy.service"

    def setUp(self):
        self.assertTrue(shutil.which("systemd-analyze"), "systemd-analyze is not installed")

    def test_systemd_understands_every_line(self):
        with tempfile.TemporaryDirectory() as folder:
            for file in self.unit.parent.glob("ninjaone-proxy.*"):
                # The binary is not installed where the tests run; everything else is checked as it stands.
                text = file.read_text().replace("/usr/bin/ninjaone-proxy", "/bin/true")
                (Path(folder) / file.name).write_text(text)
            files = sorted(Path(folder).iterdir())
            self.assertEqual(len(files), 2)
            code, said = run("systemd-analyze", "verify", "--man=no", *files)
            about_ours = [line for line in said.splitlines() if "ninjaone-proxy" in line]
            self.assertEqual((code, about_ours), (0, []))

    def test_the_unit_is_exposed_by_no_more_than_two(self):
        code, said = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", self.unit)
        self.assertEqual(code, 0, said.splitlines()[-1:])

    def test_the_unit_keeps_the_contract_with_the_program(self):
        lines = self.unit.read_text().splitlines()
        for line in ["Type=notify", "ExecStart=/usr/bin/ninjaone-proxy run", "ExecReload=/usr/bin/ninjaone-proxy reload",
                     "RestartPreventExitStatus=78", "TimeoutStopSec=45", "WatchdogSec=30", "LimitCORE=0", "DynamicUser=yes"]:
            self.assertIn(line, lines)
        socket = (self.unit.parent / "ninjaone-proxy.socket").read_text().splitlines()
        self.assertIn("FileDescriptorName=http", socket)
        self.assertIn("ListenStream=127.0.0.1:6465", socket)


class Kubernetes(unittest.TestCase):
    folder = DEPLOY / "kubernetes"

    @classmethod
    def setUpClass(cls):
        cls.kustomization = yaml.safe_load((cls.folder / "kustomization.yaml").read_text())
        cls.objects = kustomized(cls.folder)
        cls.pod = next(o for o in cls.objects if o["kind"] == "Deployment")["spec"]["template"]["spec"]
        cls.sidecar = cls.pod["initContainers"][0]

    def named(self, kind):
        return {o["metadata"]["name"]: o for o in self.objects if o["kind"] == kind}

    def test_every_file_is_part_of_the_kustomization(self):
        present = sorted(f.name for f in self.folder.glob("*.yaml") if f.name != "kustomization.yaml")
        self.assertEqual(sorted(self.kustomization["resources"]), present)
        for o in self.objects:
            if o["kind"] != "Namespace":
                self.assertEqual(o["metadata"].get("namespace"), self.kustomization["namespace"], o["metadata"]["name"])

    def test_secrets_are_not_committed(self):
        for one in self.kustomization["secretGenerator"]:
            for file in one["files"]:
                self.assertTrue(ignored(self.folder / file.split("=")[-1]), file)

    def test_every_object_is_valid_without_an_unknown_field(self):
        with tempfile.TemporaryDirectory() as folder:
            for i, o in enumerate(self.objects):
                file = Path(folder) / f"{i}-{o['kind']}.yaml"
                file.write_text(yaml.safe_dump(o))
                for version in KUBERNETES_VERSIONS:
                    code, said = run(TOOLS / "kubernetes-validate", "-k", version, "--strict", "--no-warn", "--quiet", file)
                    self.assertEqual(code, 0, f"{o['kind']} {version}: {said}")

    def test_the_proxy_is_a_native_sidecar_that_is_up_before_the_application(self):
        self.assertEqual(self.sidecar["restartPolicy"], "Always")
        ports = {p["name"]: p["containerPort"] for p in self.sidecar["ports"]}
        for probe, path in [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]:
            get = self.sidecar[probe]["httpGet"]
            self.assertEqual((get["path"], ports[get["port"]]), (path, 6467))
            self.assertIn({"name": "Host", "value": "localhost"}, get["httpHeaders"])

    def test_every_container_meets_the_restricted_standard(self):
        pod = self.pod["securityContext"]
        self.assertTrue(pod["runAsNonRoot"])
        self.assertEqual((pod["runAsUser"], pod["fsGroup"]), (UID, UID))
        self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertFalse(self.pod["automountServiceAccountToken"])
        for c in self.pod["initContainers"] + self.pod["containers"]:
            self.assertEqual(c["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}, c["name"])
            self.assertIn("memory", c["resources"]["limits"], c["name"])

    def test_secrets_reach_the_proxy_as_files_that_only_it_reads(self):
        self.assertNotIn("env", self.sidecar)
        volumes = {v["name"]: v for v in self.pod["volumes"]}
        secret = volumes["secret"]["secret"]
        self.assertEqual(secret["defaultMode"], 0o400)
        self.assertIn(secret["secretName"], self.named("Secret"))
        self.assertIn(volumes["config"]["configMap"]["name"], self.named("ConfigMap"))
        for mount in self.sidecar["volumeMounts"]:
            self.assertIn(mount["name"], volumes)

    def test_the_configuration_agrees_with_what_is_mounted_and_probed(self):
        config = tomllib.loads(self.named("ConfigMap")["ninjaone-proxy"]["data"]["config.toml"])
        mounts = {m["name"]: m["mountPath"] for m in self.sidecar["volumeMounts"]}
        # Below the mount: the root of an emptyDir is open to a group.
        self.assertEqual(config["audit"]["path"], mounts["audit"] + "/audit")
        self.assertEqual(config["admin"]["probes"], "0.0.0.0:6467")
        credential = config["tenant"]["acme"]["service"]["client_secret"]["credential"]
        self.assertEqual(mounts["secret"], "/var/run/secrets/ninjaone-proxy")  # where the program looks for credentials
        self.assertIn(credential, self.named("Secret")["ninjaone-proxy"]["data"])
        variable = self.pod["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
        self.assertIn(variable["key"], self.named("Secret")[variable["name"]]["data"])

    def test_the_network_policy_covers_the_pod_in_both_directions(self):
        policy = self.named("NetworkPolicy")["reports"]["spec"]
        labels = self.named("Deployment")["reports"]["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(policy["podSelector"]["matchLabels"], labels)
        self.assertEqual(sorted(policy["policyTypes"]), ["Egress", "Ingress"])
        self.assertEqual([p["port"] for rule in policy["ingress"] for p in rule["ports"]], [6467, 6470])

    def test_prometheus_finds_the_metrics(self):
        config = tomllib.loads(self.named("ConfigMap")["ninjaone-proxy"]["data"]["config.toml"])
        ports = {p["name"]: p["containerPort"] for p in self.sidecar["ports"]}
        notes = self.named("Deployment")["reports"]["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(config["admin"]["metrics"], f"0.0.0.0:{ports['metrics']}")
        self.assertEqual(notes, {"prometheus.io/scrape": "true", "prometheus.io/port": str(ports["metrics"]), "prometheus.io/path": "/metrics"})


class CentralKubernetes(unittest.TestCase):
    folder = DEPLOY / "kubernetes/central"

    @classmethod
    def setUpClass(cls):
        cls.kustomization = yaml.safe_load((cls.folder / "kustomization.yaml").read_text())
        cls.objects = kustomized(cls.folder)
        cls.of_kind = {o["kind"]: o for o in cls.objects if o["kind"] != "Secret"}
        cls.secrets = {o["metadata"]["name"]: o["data"] for o in cls.objects if o["kind"] == "Secret"}
        cls.template = cls.of_kind["StatefulSet"]["spec"]["template"]
        cls.proxy = cls.template["spec"]["containers"][0]
        cls.job = cls.of_kind["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]
        cls.config = tomllib.loads(cls.of_kind["ConfigMap"]["data"]["config.toml"])

    def test_every_file_is_part_of_it_and_in_its_namespace(self):
        present = sorted(f.name for f in self.folder.glob("*.yaml") if f.name != "kustomization.yaml")
        self.assertEqual(sorted(self.kustomization["resources"]), present)
        for o in self.objects:
            if o["kind"] != "Namespace":
                self.assertEqual(o["metadata"]["namespace"], self.kustomization["namespace"], o["metadata"]["name"])

    def test_every_object_is_valid_without_an_unknown_field(self):
        with tempfile.TemporaryDirectory() as folder:
            for i, o in enumerate(self.objects):
                file = Path(folder) / f"{i}.yaml"
                file.write_text(yaml.safe_dump(o))
                for version in KUBERNETES_VERSIONS:
                    code, said = run(TOOLS / "kubernetes-validate", "-k", version, "--strict", "--no-warn", "--quiet", file)
                    self.assertEqual(code, 0, f"{o['kind']} {version}: {said}")

    def test_every_container_meets_the_restricted_standard(self):
        for pod in [self.template["spec"], self.job["spec"]]:
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse(pod["automountServiceAccountToken"])
            for container in pod["containers"]:
                self.assertEqual(container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                                "capabilities": {"drop": ["ALL"]}})

    def test_the_login_and_the_audit_log_lie_on_the_volume_that_outlives_the_pod(self):
        claim = self.of_kind["StatefulSet"]["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
        mounts = {m["name"]: m["mountPath"] for m in self.proxy["volumeMounts"]}
        for path in [self.config["store"]["path"], self.config["audit"]["path"]]:
            self.assertTrue(path.startswith(mounts[claim] + "/"), path)
        self.assertEqual(self.config["admin"]["socket"], mounts["run"] + "/admin.sock")
        self.assertEqual(self.of_kind["StatefulSet"]["spec"]["replicas"], 1)

    def test_the_secrets_are_those_that_the_configuration_names(self):
        tenant = self.config["tenant"]["acme"]
        named = {tenant["service"]["client_secret"]["credential"], self.config["store"]["seal"]["credential"]}
        self.assertEqual(set(self.secrets["ninjaone-proxy"]), named)
        variable = self.job["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
        self.assertIn(variable["key"], self.secrets[variable["name"]])

    def test_the_job_reaches_the_proxy_by_a_name_that_it_answers_to(self):
        service = self.of_kind["Service"]
        self.assertEqual(service["spec"]["selector"], self.template["metadata"]["labels"])
        host, port = re.search(r"http://([^:/]+):(\d+)/", self.job["spec"]["containers"][0]["args"][0]).groups()
        self.assertIn(host, self.config["listen"]["hosts"])
        self.assertIn(int(port), [p["port"] for p in service["spec"]["ports"]])
        callers = self.of_kind["NetworkPolicy"]["spec"]["ingress"][0]
        self.assertEqual(callers["from"][0]["podSelector"]["matchLabels"], self.job["metadata"]["labels"])
        self.assertEqual(callers["ports"], [{"protocol": "TCP", "port": int(port)}])


class Compose(unittest.TestCase):
    folder = DEPLOY / "compose"

    def setUp(self):
        self.file = yaml.safe_load((self.folder / "compose.yaml").read_text())
        self.service = self.file["services"]["ninjaone-proxy"]

    def test_the_container_can_change_nothing_but_its_volumes(self):
        self.assertTrue(self.service["read_only"])
        self.assertEqual(self.service["cap_drop"], ["ALL"])
        self.assertIn("no-new-privileges:true", self.service["security_opt"])
        self.assertEqual(self.service["user"], f"{UID}:{UID}")

    def test_ports_are_published_on_loopback_only(self):
        for port in self.service["ports"]:
            self.assertRegex(port, r"^127\.0\.0\.1:\d+:\d+$")

    def test_secrets_volumes_and_folders_exist(self):
        config = tomllib.loads((self.folder / "config/config.toml").read_text())
        named = {config["tenant"]["acme"]["service"]["client_secret"]["credential"], config["store"]["seal"]["credential"]}
        self.assertEqual(set(self.service["secrets"]), named)
        for name in named:
            self.assertTrue(ignored(self.folder / self.file["secrets"][name]["file"]), f"{name} could be committed")
        for volume in self.service["volumes"]:
            source = volume.split(":")[0]
            known = (self.folder / source).is_dir() if source.startswith(".") else source in self.file["volumes"]
            self.assertTrue(known, volume)
        self.assertTrue((self.folder / self.service["build"]["context"] / "Dockerfile").is_file())
        inside = self.service["ports"][0].rsplit(":", 1)[1]
        self.assertEqual(config["listen"]["http"], [f"0.0.0.0:{inside}"])
        self.assertEqual(self.service["healthcheck"]["test"], ["CMD", "/ninjaone-proxy", "healthcheck"])


class Configurations(unittest.TestCase):
    def test_the_program_accepts_the_configurations_that_are_shipped(self):
        self.assertTrue(PROGRAM.is_file(), f"{PROGRAM} is not built")
        texts = [file.read_text() for file in DEPLOY.rglob("config.toml")]
        self.assertEqual(len(texts), 3)
        # The user that the files offer in a comment is as good.
        texts += [text.replace("#user =", "user =") for text in texts if "#user =" in text]
        for text in texts:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "acme.client_secret").write_text("example")
                (Path(folder) / "store.key").write_bytes(bytes(range(32)))
                file = Path(folder) / "config.toml"
                file.write_text(text)
                code, said = run("env", f"CREDENTIALS_DIRECTORY={folder}", PROGRAM, "config", "check", "--config", file)
                self.assertEqual(code, 0, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
