//! The way to a PostgreSQL server is encrypted, and leads to the right one.

use lookalike_store::testing::Server;
use lookalike_store::{Postgres, Store as _};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::contract::{new_collection, tenant};

/// The certificate of another authority.
fn other_authority() -> String {
    let key = ["-newkey", "rsa:2048", "-noenc", "-keyout", "/dev/null"];
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-days", "1"])
        .args(key)
        .args(["-subj", "/CN=authority"])
        .output()
        .expect("openssl runs");
    String::from_utf8(made.stdout).expect("PEM")
}

async fn opens(address: &str, options: &str) -> Result<(), String> {
    let address = format!("{address}&{options}").parse().expect("an address");
    let store = Postgres::open(&address).await.map_err(|error| format!("{error:?}"))?;
    let ours = tenant("111122223333", "eu-west-1");
    match store.create_collection(&ours, new_collection("staff")).await {
        Ok(_) => store.delete_collection(&ours, "staff").await.map(drop),
        Err(error) => Err(error),
    }
    .map_err(|error| format!("{error:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_connection_is_encrypted_and_ends_where_the_certificate_says() {
    let Some(database) = Server::with_tls() else {
        assert!(std::env::var_os("CI").is_none(), "CI has no PostgreSQL in /usr/lib/postgresql");
        eprintln!("skipped: there is no PostgreSQL in /usr/lib/postgresql");
        return;
    };
    let address = database.schema().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let own = file("own.pem", &database.authority());
    let other = file("other.pem", &other_authority());

    opens(&address, &format!("sslmode=verify-full&sslrootcert={own}")).await.expect("is trusted");
    let verify = |address: &str, options: String| {
        let address = address.to_owned();
        async move { opens(&address, &format!("sslmode=verify-full{options}")).await }
    };
    // The certificate is of an address, and not of this name.
    let name = address.replace("127.0.0.1", "localhost");
    for (address, root, why) in [
        (&address, format!("&sslrootcert={other}"), "another authority has not signed it"),
        (&address, String::new(), "no known authority has signed it"),
        (&name, format!("&sslrootcert={own}"), "it is of another name"),
    ] {
        let refused = verify(address, root).await.expect_err(why);
        assert!(refused.contains("Untrusted"), "{why}: {refused}");
    }
    opens(&name, &format!("sslmode=verify-ca&sslrootcert={own}")).await.expect("no name is asked");

    let verified = format!("{address}&sslmode=verify-full&sslrootcert={own}");
    let mut connection = PgConnection::connect(&verified).await.expect("connects");
    let encrypted: bool =
        sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .fetch_one(&mut connection)
            .await
            .expect("statistics");
    assert!(encrypted);
}
