//! Names of a test's own: a name server that does what the test wants, and the built program in a mount namespace whose
//! `/etc/resolv.conf` names it. Needs root.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{directory::Directory, program::PROGRAM};

/// Mounts the files of the directory in `$NAMES` over the system's, and becomes the program.
const IN_ITS_OWN_WORLD: &str = "mount --bind \"$NAMES/resolv.conf\" /etc/resolv.conf \
    && mount --bind \"$NAMES/nsswitch.conf\" /etc/nsswitch.conf \
    && mount --bind \"$NAMES/hosts\" /etc/hosts && exec \"$0\" \"$@\"";
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

/// How the name server treats its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    AnswersAfter(Duration),
    IsSilent,
}

struct Shared {
    names: HashMap<&'static str, Vec<IpAddr>>,
    manner: Mutex<Manner>,
}

/// The names, and who answers for them.
pub(crate) struct PrivateNames {
    directory: Directory,
    shared: Arc<Shared>,
    /// What listens at the address of a dead name server.
    _dead: Vec<UdpSocket>,
}

/// An address of the loopback network that no other test uses.
pub(crate) fn loopback_address() -> Ipv4Addr {
    let [a, b, c, ..] = ninjaone_proxy::random::random_u64().to_be_bytes();
    Ipv4Addr::new(127, 64 | a >> 1, b, 1 | c >> 1)
}

impl PrivateNames {
    /// A name server that knows `names` and waits for nobody; none where a test cannot have one.
    pub(crate) fn new(names: &[(&'static str, &[IpAddr])]) -> Option<Self> {
        Self::with(names, Manner::Answers, "timeout:5 attempts:1", 0)
    }

    /// The same behind `dead` name servers that give no answer; `options` are those of resolv.conf(5).
    pub(crate) fn with(
        names: &[(&'static str, &[IpAddr])],
        manner: Manner,
        options: &str,
        dead: usize,
    ) -> Option<Self> {
        let names = names.iter().map(|(name, it)| (*name, it.to_vec()));
        let shared = Arc::new(Shared {
            names: names.collect(),
            manner: Mutex::new(manner),
        });
        let at_port_53 = || UdpSocket::bind((loopback_address(), 53));
        let dead: io::Result<Vec<_>> = (0..dead).map(|_| at_port_53()).collect();
        let tools = Command::new("unshare")
            .args(["-m", "true"])
            .stderr(Stdio::null())
            .status();
        let (Ok(dead), Ok(server), true) = (dead, at_port_53(), tools.is_ok_and(|it| it.success()))
        else {
            let _ = writeln!(
                io::stderr(),
                "NOT TESTED: name servers, because port 53 and mount namespaces need root"
            );
            return None;
        };
        let directory = Directory::new();
        let listed = dead.iter().chain([&server]);
        let lines = listed.map(|it| format!("nameserver {}\n", it.local_addr().unwrap().ip()));
        let resolv = lines.collect::<String>() + &format!("options {options}\n");
        directory.write("resolv.conf", resolv);
        directory.write("nsswitch.conf", "hosts: files dns\n");
        directory.write("hosts", "127.0.0.1 localhost\n");
        let serving = Arc::clone(&shared);
        // Ends with the process of the tests.
        thread::spawn(move || serve(&server, &serving));
        Some(Self {
            directory,
            shared,
            _dead: dead,
        })
    }

    /// The name server is of another mind from now on.
    pub(crate) fn turn(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// Becomes the built program in a world where these names are known; its arguments are to be added.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", IN_ITS_OWN_WORLD, PROGRAM]);
        command.env("NAMES", self.directory.path());
        command
    }
}

fn serve(server: &UdpSocket, shared: &Shared) {
    let mut query = [0; 512];
    while let Ok((length, from)) = server.recv_from(&mut query) {
        let manner = *shared.manner.lock().unwrap();
        let Some(answer) = answer(&query[..length], &shared.names) else {
            continue;
        };
        match manner {
            Manner::IsSilent => {}
            Manner::Answers => drop(server.send_to(&answer, from)),
            Manner::AnswersAfter(wait) => {
                let server = server.try_clone().unwrap();
                thread::spawn(move || {
                    thread::sleep(wait);
                    server.send_to(&answer, from)
                });
            }
        }
    }
}

/// RFC 1035 section 4: the question again, and the addresses of the type that is asked for. A name that is not known does
/// not exist.
fn answer(query: &[u8], names: &HashMap<&'static str, Vec<IpAddr>>) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    while let length @ 1.. = usize::from(*query.get(at)?) {
        labels.push(std::str::from_utf8(query.get(at + 1..=at + length)?).ok()?);
        at += length + 1;
    }
    let question = query.get(12..at + 5)?;
    let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
    let known = names.get(labels.join(".").as_str());
    let of_kind = known.into_iter().flatten().filter(|it| match it {
        IpAddr::V4(_) => kind == TYPE_A,
        IpAddr::V6(_) => kind == TYPE_AAAA,
    });
    let found: Vec<_> = of_kind.collect();
    let code = if known.is_some() { 0 } else { 3 };
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(found.len()).ok()?,
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question);
    for address in found {
        let bytes = match address {
            IpAddr::V4(it) => it.octets().to_vec(),
            IpAddr::V6(it) => it.octets().to_vec(),
        };
        // The name of the question, the type, the class, a lifetime of a minute.
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(bytes.len()).ok()?]);
        answer.extend(bytes);
    }
    Some(answer)
}

/// An address that takes no connection and refuses none: the kernel drops what comes, because the queue of a listener that
/// accepts nothing is full.
pub(crate) struct Blackhole(
    #[expect(dead_code, reason = "both ends are held")] (Socket, TcpStream),
);

impl Blackhole {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(0).unwrap();
        let fills_it = TcpStream::connect(address).unwrap();
        let one_more = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert!(one_more.is_err(), "the queue is not full");
        Self((socket, fills_it))
    }
}

/// How many connections come to an address where nobody should come.
pub(crate) fn uninvited(listener: &TcpListener) -> usize {
    listener.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| listener.accept().ok()).count()
}
