//! Header blocks from the examples of RFC 7541, and frames split at every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use tokio::io::AsyncReadExt;

use super::{
    frame_filter::{FrameFilter, FrameFilterEnd},
    hpack::{self, HpackDecoder, HpackError},
    huffman::{self, HuffmanError},
};

const HEAD_BYTES_MAX: usize = 32 * 1024;
const RUIN: [u8; 9] = [0, 0, 0, 9, 0, 0, 0, 0, 1];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn fields(decoder: &mut HpackDecoder, block: &[u8]) -> Result<Vec<String>, HpackError> {
    let mut all = Vec::new();
    decoder.decode(block, |name, value| {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        all.push(format!("{}: {}", text(name), text(value)));
    })?;
    Ok(all)
}

/// RFC 7541 appendices C.3 and C.4: three requests on one connection, plain and compressed.
#[test]
fn the_blocks_of_the_standard_are_read_as_it_says() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let compressed = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, compressed] {
        let mut decoder = HpackDecoder::default();
        let [first, second, third] = blocks.map(|it| fields(&mut decoder, &bytes(it)).unwrap());
        let authority = ":authority: www.example.com";
        assert_eq!(
            first,
            [":method: GET", ":scheme: http", ":path: /", authority]
        );
        assert_eq!(second[3..], [authority, "cache-control: no-cache"]);
        assert_eq!(
            third[2..],
            [":path: /index.html", authority, "custom-key: custom-value"]
        );
    }
}

#[test]
fn what_is_no_header_block_is_refused() {
    for (hex, why) in [
        ("80", "index 0"),
        ("be", "an entry that the table does not hold"),
        ("82 20", "a new size behind a field"),
        ("3f e2 1f", "a size above 4,096"),
        ("00 05 61", "a name that is cut"),
        ("00 01 61", "no value"),
        ("00 ff ff ff ff ff 0f", "a length that no block has"),
        ("41", "an integer without its end"),
        ("41 84 ff ff ff ff", "an end mark"),
        ("41 82 1f ff", "a byte of padding"),
        ("41 81 00", "padding of zeros"),
    ] {
        assert!(
            fields(&mut HpackDecoder::default(), &bytes(hex)).is_err(),
            "{why}"
        );
    }
}

#[test]
fn a_table_forgets_its_oldest_entry_and_an_entry_that_is_too_long_empties_it() {
    let mut decoder = HpackDecoder::default();
    let indexed = |index: u8| [0x80 + index];
    let entry = |length: usize| {
        let mut block = Vec::new();
        hpack::encode_field(b"x", "y".repeat(length).as_bytes(), &mut block);
        block[0] = 0x40;
        block
    };
    for _ in 0..4 {
        fields(&mut decoder, &entry(1000)).unwrap();
    }
    // 62 is the newest; three of 1,033 bytes fit.
    assert!(fields(&mut decoder, &indexed(64)).is_ok());
    assert!(fields(&mut decoder, &indexed(65)).is_err());
    fields(&mut decoder, &entry(4096)).unwrap();
    assert!(fields(&mut decoder, &indexed(62)).is_err());
}

/// RFC 7541 appendix B: one code of each kind, short, long, and the last before the end-of-string symbol's.
#[test]
fn the_code_is_the_one_of_the_standard() {
    for (coded, text) in [
        ("07", &b"0"[..]),
        ("53", b" "),
        ("fe 3f", b"!"),
        ("ff af", b"#"),
        ("ff c7", b"\0"),
        ("ff fe 1f", b"\\"),
        ("ff ff fb bf", b"\xff"),
        ("ff ff ff f3", b"\n"),
    ] {
        let mut decoded = Vec::new();
        let read = huffman::decode(&bytes(coded), &mut decoded);
        assert_eq!((read, decoded.as_slice()), (Ok(()), text), "{coded}");
    }
    assert_eq!(
        huffman::decode(&[0xff; 4], &mut Vec::new()),
        Err(HuffmanError)
    );
    assert_eq!(huffman::decode(&[], &mut Vec::new()), Ok(()));
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn request(more: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let pseudo = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/v2/devices"),
    ];
    for (name, value) in pseudo.iter().chain(more) {
        hpack::encode_field(name.as_bytes(), value.as_bytes(), &mut block);
    }
    block
}

/// What the library gets to read of `sent`, which comes in two parts.
async fn passed(sent: &[u8], at: usize) -> (Vec<u8>, bool) {
    let ended = Arc::<std::sync::OnceLock<FrameFilterEnd>>::default();
    let (first, second) = sent.split_at(at);
    let mut filter = FrameFilter::new(
        first.chain(second),
        HEAD_BYTES_MAX,
        Arc::clone(&ended),
        Arc::default(),
    );
    let mut out = Vec::new();
    filter.read_to_end(&mut out).await.unwrap();
    (out, ended.get() == Some(&FrameFilterEnd::Malformed))
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn frames_pass_and_header_blocks_are_put_together_wherever_they_are_cut() {
    let block = request(&[("x-api-key", "k")]);
    let (front, back) = block.split_at(11);
    let padded = [&[2, 0, 0, 0, 0, 7], block.as_slice(), &[0, 0]].concat();
    let sent = [
        PREFACE.to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 1, 1, front),
        frame(9, 0, 1, &[]),
        frame(9, 4, 1, back),
        frame(0, 0, 1, b"data"),
        frame(16, 0, 0, &[0; 2000]),
        frame(1, 4 | 8 | 32, 5, &padded),
        frame(1, 5, 5, &[]),
    ]
    .concat();
    let expected = [
        PREFACE.to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 5, 1, &block),
        frame(0, 0, 1, b"data"),
        frame(1, 4, 5, &block),
        frame(1, 5, 5, &[]),
    ]
    .concat();
    for at in 0..sent.len() {
        assert_eq!(
            passed(&sent, at).await,
            (expected.clone(), false),
            "cut at {at}"
        );
    }
}

#[tokio::test]
async fn frames_that_cannot_be_read_end_the_connection() {
    let block = request(&[]);
    let many = [frame(1, 0, 1, &[]), frame(9, 0, 1, &[]).repeat(64)].concat();
    let long = [
        frame(1, 0, 1, &[0; 16384]),
        frame(9, 0, 1, &[0; 16384]).repeat(3),
    ]
    .concat();
    for (bad, why) in [
        (frame(1, 4, 0, &block), "headers of no stream"),
        (frame(9, 4, 1, &block), "a continuation of nothing"),
        (frame(5, 4, 1, &block), "a promise"),
        (
            [frame(1, 0, 1, &block), frame(9, 4, 3, &[])].concat(),
            "another stream's continuation",
        ),
        (
            [frame(1, 0, 1, &block), frame(6, 0, 0, &[0; 8])].concat(),
            "a frame within a block",
        ),
        (frame(1, 4 | 8, 1, &[9, 0]), "more padding than frame"),
        (frame(1, 4 | 32, 1, &[0; 4]), "a priority that is cut"),
        (frame(1, 4, 1, &[0x80]), "no header block"),
        (frame(0, 0, 1, &vec![0; 16385]), "a frame above 16 KiB"),
        (frame(0, 0, 1, b"x"), "data before its request"),
        (frame(0, 0, 0, b"x"), "data of no stream"),
        (frame(4, 0, 0, &[0; 1026]), "longer settings than there are"),
        (many, "65 frames of one block"),
        (long, "a block above its bound"),
    ] {
        let sent = [PREFACE, &bad, &frame(6, 0, 0, &[0; 8])].concat();
        let (out, is_garbage) = passed(&sent, sent.len()).await;
        assert_eq!(out, [PREFACE, &RUIN].concat(), "{why}");
        assert!(is_garbage, "{why}");
    }
}
