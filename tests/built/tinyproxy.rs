//! Outgoing proxies: tinyproxy as Debian has it, for which a name exists that exists nowhere else; and peers that are none.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::{directory::Directory, program::free_address, wait::WAIT_MAX};

/// The name of a host that only the proxy knows.
pub(crate) const NINJA: &str = "ninja.example";
pub(crate) const USER: &str = "rmm";
pub(crate) const PASSWORD: &str = "hunter2-canary-of-the-proxy";
/// What tinyproxy needs in its configuration to ask for them.
pub(crate) const WITH_USER: &str = "BasicAuth rmm hunter2-canary-of-the-proxy";

/// A running tinyproxy; it is killed when dropped.
pub(crate) struct Tinyproxy {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: Directory,
}

impl Tinyproxy {
    /// With these lines in its configuration. [`NINJA`] is this machine for it, by a /etc/hosts of its own.
    pub(crate) fn start(more: &str) -> Self {
        Self::start_at(free_address(), more)
    }

    pub(crate) fn start_at(address: SocketAddr, more: &str) -> Self {
        let directory = Directory::new();
        directory.write("hosts", format!("127.0.0.1 localhost {NINJA}\n"));
        let (ip, port) = (address.ip(), address.port());
        let log = directory.join("log");
        directory.write(
            "tinyproxy.conf",
            format!(
                "Listen {ip}\nPort {port}\nTimeout 30\nMaxClients 100\nLogLevel Connect\nLogFile \"{}\"\n{more}\n",
                log.display()
            ),
        );
        directory.write("proxy.password", PASSWORD);
        let script = "mount --bind \"$0\" /etc/hosts && exec tinyproxy -d -c \"$1\"";
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c", script]);
        command.args([directory.join("hosts"), directory.join("tinyproxy.conf")]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("unshare and tinyproxy are there");
        let mut started = Self {
            child,
            address,
            directory,
        };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = started.child.try_wait().unwrap();
            assert!(ended.is_none(), "tinyproxy ended: {ended:?}");
            assert!(began.elapsed() < WAIT_MAX, "tinyproxy does not listen");
            thread::sleep(Duration::from_millis(3));
        }
        started
    }

    /// `tenant.NAME.proxy` without a user, as TOML.
    pub(crate) fn toml(&self) -> String {
        format!("{{ url = \"http://{}\" }}", self.address)
    }

    /// The same with the user, and the password in a file.
    pub(crate) fn toml_with_user(&self) -> String {
        let password = self.password_file();
        format!(
            "{{ url = \"http://{}\", user = \"{USER}\", password = {{ file = \"{}\" }} }}",
            self.address,
            password.display()
        )
    }

    /// The value of a variable.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same with the user, some of it percent-encoded.
    pub(crate) fn url_with_user(&self) -> String {
        let password = PASSWORD.replace('-', "%2D");
        format!("http://{USER}:{password}@{}", self.address)
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.directory.join("proxy.password")
    }

    /// The targets that it was asked to connect to so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let asked = log
            .lines()
            .filter_map(|line| line.split_once(": CONNECT ")?.1.split(' ').next());
        asked.map(str::to_owned).collect()
    }

    /// Ends it; what it has open breaks.
    pub(crate) fn stop(mut self) -> SocketAddr {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.address
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What somebody does who is asked for a tunnel.
#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Answers(&'static str),
    /// The connection is gone, hard.
    Resets,
    Silent,
}

impl Peer {
    /// Listens at `address` for as long as the test's process lives.
    pub(crate) fn listen_at(self, address: SocketAddr) {
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(began.elapsed() < WAIT_MAX, "{error}"),
            }
            thread::sleep(Duration::from_millis(3));
        };
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let length = stream.read(&mut [0; 4096]).unwrap_or_default();
                match self {
                    _ if length == 0 => {}
                    Self::Answers(answer) => {
                        let _ = stream.write_all(answer.as_bytes());
                        let _ = stream.shutdown(Shutdown::Write);
                    }
                    Self::Resets => {
                        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                    }
                    Self::Silent => silent.push(stream),
                }
            }
        });
    }

    /// Listens somewhere.
    pub(crate) fn listen(self) -> SocketAddr {
        let address = free_address();
        self.listen_at(address);
        address
    }
}
