//! Certificates for tests, made by `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key, as PEM files.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Issued {
    /// What a server that shows this certificate takes.
    pub fn server(&self) -> Arc<rustls::ServerConfig> {
        let chain = CertificateDer::pem_file_iter(&self.certificate).unwrap().map(Result::unwrap).collect();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(&self.key).unwrap())
            .unwrap();
        Arc::new(config)
    }
}

/// A certificate authority of the test's own, in a folder.
pub struct Authority {
    folder: PathBuf,
    pub certificate: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        let folder = folder.join("authority");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("index.txt"), "").unwrap();
        std::fs::write(folder.join("serial"), "01").unwrap();
        std::fs::write(folder.join("ca.cnf"), CONFIG.replace("FOLDER", folder.to_str().unwrap())).unwrap();
        let authority = Self { certificate: folder.join("ca.pem"), folder };
        authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=Test_Authority");
        authority
    }

    /// A certificate for a name or address (`DNS:app.test`, `IP:127.0.0.1`), valid from and to these dates (`20260131`).
    pub fn issue(&self, name: &str, from: &str, to: &str) -> Issued {
        let file = name.replace([':', '*'], "_");
        std::fs::write(self.folder.join("san.cnf"), format!("subjectAltName={name}\n")).unwrap();
        self.request(&file);
        self.openssl(&format!(
            "ca -batch -notext -config ca.cnf -in {file}.csr -out {file}.pem -extfile san.cnf -startdate {from}000000Z -enddate {to}000000Z"
        ));
        self.issued(&file)
    }

    /// A certificate that nobody but its owner signed.
    pub fn self_signed(&self, name: &str) -> Issued {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.pem -days 30 -subj /CN=own -addext subjectAltName={name}"
        ));
        self.issued("own")
    }

    fn request(&self, file: &str) {
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {file}.key -out {file}.csr -subj /CN=server"
        ));
    }

    fn issued(&self, file: &str) -> Issued {
        let path = |extension| self.folder.join(format!("{file}.{extension}"));
        Issued { certificate: path("pem"), key: path("key") }
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .output()
            .expect("`openssl` is installed: apt-get install openssl");
        assert!(output.status.success(), "openssl {arguments}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

const CONFIG: &str = "
[ca]
default_ca = own
[own]
dir = FOLDER
database = FOLDER/index.txt
serial = FOLDER/serial
new_certs_dir = FOLDER
certificate = FOLDER/ca.pem
private_key = FOLDER/ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
";
