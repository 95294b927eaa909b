//! The page that each Chromium opens, and the socket over which it is driven.

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::message::{FromPage, ToPage};

const PAGE: &str = include_str!("page.html");

/// Bytes of a request that are read before it is answered.
const MAX_REQUEST: u64 = 16 * 1024;

/// Serves the page for any request to this listener.
pub async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            if let Err(error) = answer(stream).await {
                tracing::debug!(%error, "the page was not sent");
            }
        });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let (reader, mut writer) = stream.split();
    let mut reader = reader.take(MAX_REQUEST);
    while !request.ends_with(b"\r\n\r\n") {
        if reader.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nContent-Length:";
    writer.write_all(format!("{head} {}\r\n\r\n{PAGE}", PAGE.len()).as_bytes()).await?;
    writer.shutdown().await
}

/// A page that has connected.
pub struct Page(WebSocketStream<TcpStream>);

impl Page {
    /// Waits for the page that was told this listener's port.
    pub async fn accept(listener: &TcpListener) -> anyhow::Result<Self> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(Self(tokio_tungstenite::accept_async(stream).await?))
    }

    /// Tells the page something.
    pub async fn send(&mut self, message: &ToPage<'_>) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(serde_json::to_string(message)?)).await?)
    }

    /// The next message of the page; an error when it is gone or reports a failure. Nothing is lost when this is
    /// dropped.
    pub async fn receive(&mut self) -> anyhow::Result<FromPage> {
        loop {
            let text = match self.0.next().await.context("Chromium ended before the call did.")?? {
                Message::Text(text) => text,
                Message::Binary(picture) => return Ok(FromPage::Picture(picture.into())),
                _ => continue,
            };
            match serde_json::from_str(&text)? {
                FromPage::Failed { message } => anyhow::bail!("Chromium could not make the call: {message}"),
                said => return Ok(said),
            }
        }
    }
}
