//! The thread that writes: whole lines, whatever the reader does.

use std::io;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};

use super::*;
use crate::model::time::Timestamp;
use crate::notify::message::Test;
use crate::notify::sink::Class;

/// What a write is answered with, in turn; then all is taken.
#[derive(Debug)]
enum Does {
    /// So many bytes.
    Takes(usize),
    Fails(ErrorKind),
    /// As a full pipe does, until somebody reads.
    Hangs(std_mpsc::Receiver<()>),
}

#[derive(Clone, Default)]
struct Pipe {
    does: Arc<Mutex<Vec<Does>>>,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Pipe {
    fn new(does: Vec<Does>) -> Self {
        Self { does: Arc::new(Mutex::new(does)), ..Self::default() }
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.got.lock().unwrap().clone()).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let does = {
            let mut does = self.does.lock().unwrap();
            if does.is_empty() { Does::Takes(usize::MAX) } else { does.remove(0) }
        };
        match does {
            Does::Takes(n) => {
                let n = n.min(bytes.len());
                self.got.lock().unwrap().extend_from_slice(&bytes[..n]);
                Ok(n)
            }
            Does::Fails(kind) => Err(kind.into()),
            Does::Hangs(until) => {
                let _ = until.recv();
                self.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn message(n: u32) -> Message {
    Message::Test(Box::new(Test { time: Timestamp::from_millis(0), episode: format!("e{n}").into() }))
}

fn sink(writer: &Writer) -> Stdout {
    Stdout::new(writer.clone(), Shape::Json, Origin::default())
}

fn episodes(pipe: &Pipe) -> Vec<String> {
    pipe.lines().iter().map(|line| line["episode"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn short_writes_and_a_pipe_that_does_not_wait_make_whole_lines() {
    let does = vec![
        Does::Takes(3),
        Does::Fails(ErrorKind::Interrupted),
        Does::Fails(ErrorKind::WouldBlock),
        Does::Takes(1),
        Does::Fails(ErrorKind::WouldBlock),
    ];
    let pipe = Pipe::new(does);
    let writer = Writer::start(pipe.clone());
    let (mut one, mut two) = (sink(&writer), sink(&writer));
    one.deliver(&message(1)).await.unwrap();
    two.deliver(&message(2)).await.unwrap();
    assert_eq!(episodes(&pipe), ["e1", "e2"]);
}

#[tokio::test]
async fn a_closed_reader_is_final_for_a_message_and_a_full_disk_is_not() {
    let does = vec![Does::Fails(ErrorKind::BrokenPipe), Does::Takes(5), Does::Fails(ErrorKind::StorageFull)];
    let pipe = Pipe::new(does);
    let mut sink = sink(&Writer::start(pipe.clone()));
    let closed = sink.deliver(&message(1)).await.unwrap_err();
    assert_eq!(closed.class, Class::Never);
    assert!(closed.text.starts_with("standard output is closed"), "{closed}");
    assert_eq!(sink.deliver(&message(2)).await.unwrap_err().class, Class::Again);
    sink.deliver(&message(2)).await.unwrap();
    assert_eq!(episodes(&pipe), ["e2"], "the line after a torn one begins anew");
}

#[tokio::test]
async fn what_is_given_up_before_it_is_written_is_not_written() {
    let (read, until) = std_mpsc::channel();
    let pipe = Pipe::new(vec![Does::Hangs(until)]);
    let writer = Writer::start(pipe.clone());
    let (mut one, mut two, mut three) = (sink(&writer), sink(&writer), sink(&writer));
    let short = Duration::from_millis(50);
    assert!(tokio::time::timeout(short, one.deliver(&message(1))).await.is_err(), "nobody reads");
    assert!(tokio::time::timeout(short, two.deliver(&message(2))).await.is_err());
    read.send(()).unwrap();
    three.deliver(&message(3)).await.unwrap();
    assert_eq!(episodes(&pipe), ["e1", "e3"]);
}
