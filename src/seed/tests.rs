use std::fs;

use super::file::{Folders, SeedFile};

fn refusal(text: &str, folders: &Folders) -> String {
    SeedFile::parse(text, folders).expect_err(text).to_string()
}

#[test]
fn a_file_is_read_with_its_defaults() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("faces/staff")).unwrap();
    let text = r#"
        account = "123456789012"

        [[collection]]
        id = "staff"
        tags = { team = "red" }
        users = ["ann"]
        people = "faces/staff"

        [[collection]]
        id = "visitors"
        region = "eu-west-1"
        account = "000000000001"
    "#;
    let path = folder.path().join("seed.toml");
    fs::write(&path, text).unwrap();
    let file = SeedFile::read(&path).unwrap();
    let [staff, visitors] = &file.collections[..] else { panic!("{file:?}") };
    assert_eq!((staff.account.as_deref(), staff.region.as_deref()), (Some("123456789012"), None));
    assert_eq!((staff.tags["team"].as_str(), &staff.users[..]), ("red", &["ann".to_owned()][..]));
    assert!(staff.people.as_ref().unwrap().ends_with("faces/staff"));
    assert_eq!(visitors.account.as_deref(), Some("000000000001"));
    assert_eq!(visitors.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn mistakes_are_refused_with_line_and_key() {
    let folders = Folders::None;
    for (text, parts) in [
        ("[[collection]]\nid = \"a b\"", ["line 2", "id: \"a b\""]),
        ("[[collection]]\nid = \"a\"\nusers = [\n\"ok\",\n\"not ok\"]", ["line 5", "users"]),
        ("[[collection]]\nid = \"a\"\ntags = { \"aws:x\" = \"y\" }", ["line 3", "tags"]),
        ("account = \"12\"", ["line 1", "twelve digits"]),
        ("region = \"\"", ["line 1", "region"]),
        ("[[collection]]\nid = \"a\"\nimages = \"x\"", ["line 3", "--seed FILE"]),
        ("[[collection]]\nname = \"a\"", ["line 2", "name"]),
        ("[[collection]]\n", ["line 1", "id"]),
        ("[[collection", ["line 1", "TOML"]),
    ] {
        let refusal = refusal(text, &folders);
        assert!(parts.iter().all(|part| refusal.contains(part)), "{text}: {refusal}");
    }
}

#[test]
fn a_request_reaches_no_folder_but_those_beside_the_seed_file() {
    let parent = tempfile::tempdir().unwrap();
    fs::create_dir_all(parent.path().join("seed/faces")).unwrap();
    fs::create_dir_all(parent.path().join("other")).unwrap();
    std::os::unix::fs::symlink("../other", parent.path().join("seed/link")).unwrap();
    let within = Folders::Within(parent.path().join("seed"));
    let text = |folder: &str| format!("[[collection]]\nid = \"a\"\nimages = {folder:?}");
    assert!(SeedFile::parse(&text("faces"), &within).is_ok());
    let absolute = parent.path().join("other").display().to_string();
    for outside in ["../other", "link", "faces/../../other", &absolute, "/"] {
        assert!(refusal(&text(outside), &within).contains("outside"), "{outside}");
    }
    assert!(refusal(&text("none"), &within).contains("there is no folder"));
}
