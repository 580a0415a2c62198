//! RTMPS in front of any server: stunnel, with certificates good and bad.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::nginx;
use crate::bed::Ctx;
use crate::ports;
use crate::process::{self, Process};
use crate::wait::secs;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Nothing: signed by the authority, for `localhost`.
    Good,
    /// It ended in 2020.
    Expired,
    /// It is for another host.
    OtherName,
    /// It is signed by itself.
    Untrusted,
}

/// A certificate authority of one case.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes one.
    ///
    /// # Errors
    /// `openssl` fails.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        let dir = ctx.folder("authority")?;
        self_signed(&dir, "ca", "Test authority", "basicConstraints=critical,CA:TRUE")?;
        std::fs::write(dir.join("index"), "")?;
        std::fs::write(dir.join("serial"), "01\n")?;
        let config = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n\
                      default_md = sha256\nunique_subject = no\npolicy = p\n[p]\ncommonName = supplied\n";
        std::fs::write(dir.join("ca.conf"), config)?;
        Ok(Self { dir })
    }

    /// Its root certificate, PEM.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A configuration of the daemon that trusts it.
    #[must_use]
    pub fn daemon_config(&self) -> String {
        format!("[tls]\nextra_roots = [\"{}\"]\n", self.root().display())
    }

    /// Makes a certificate; gives the files of certificate and key.
    ///
    /// # Errors
    /// `openssl` fails.
    pub fn issue(&self, certificate: Certificate) -> Result<(PathBuf, PathBuf)> {
        let name = format!("{certificate:?}").to_lowercase();
        let host = if certificate == Certificate::OtherName { "somewhere-else.example" } else { "localhost" };
        let (file, key) = (self.dir.join(format!("{name}.pem")), self.dir.join(format!("{name}.key")));
        if certificate == Certificate::Untrusted {
            self_signed(&self.dir, &name, host, &format!("subjectAltName=DNS:{host}"))?;
            return Ok((file, key));
        }
        let request = self.dir.join(format!("{name}.csr"));
        openssl(&self.dir, |command| {
            command.args(["req", "-newkey", "rsa:2048", "-nodes", "-subj", &format!("/CN={host}")]);
            command.arg("-keyout").arg(&key).arg("-out").arg(&request);
        })?;
        std::fs::write(
            self.dir.join("extensions"),
            format!("subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n"),
        )?;
        openssl(&self.dir, |command| {
            command.args(["ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key"]);
            command.args(["-extfile", "extensions"]).arg("-in").arg(&request).arg("-out").arg(&file);
            if certificate == Certificate::Expired {
                command.args(["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]);
            } else {
                command.args(["-days", "30"]);
            }
        })?;
        Ok((file, key))
    }
}

fn self_signed(dir: &Path, name: &str, common_name: &str, extension: &str) -> Result<()> {
    openssl(dir, |command| {
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]);
        command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
        command.args(["-subj", &format!("/CN={common_name}"), "-addext", extension]);
    })
}

fn openssl(dir: &Path, prepare: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = Command::new("openssl");
    command.current_dir(dir);
    prepare(&mut command);
    process::output(&mut command).map(|_| ())
}

/// stunnel: takes TLS and passes the bytes on.
#[derive(Debug)]
pub struct Stunnel {
    /// The process.
    pub process: Process,
    port: u16,
}

impl Stunnel {
    /// Starts one in front of a port on loopback.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(ctx: &Ctx, name: &str, authority: &Authority, certificate: Certificate, behind: u16) -> Result<Self> {
        let dir = ctx.folder(name)?;
        let port = ports::free();
        let (file, key) = authority.issue(certificate)?;
        let config = format!(
            "foreground = yes\npid =\nsyslog = no\noutput = {}\n[rtmps]\naccept = 127.0.0.1:{port}\n\
             connect = 127.0.0.1:{behind}\ncert = {}\nkey = {}\n",
            dir.join("stunnel.log").display(),
            file.display(),
            key.display()
        );
        std::fs::write(dir.join("stunnel.conf"), config)?;
        let mut process = Process::start(name, &dir, ctx.tools.unpacked("usr/bin/stunnel4"), |command| {
            command.arg(dir.join("stunnel.conf"));
        })?;
        nginx::listening(&mut process, port, secs(5))?;
        Ok(Self { process, port })
    }

    /// Where a destination sends to, without the key.
    #[must_use]
    pub fn url(&self) -> String {
        format!("rtmps://localhost:{}/live", self.port)
    }
}
