use super::*;

fn limits(per: &[&str]) -> RunningLimits {
    RunningLimits {
        per: per.iter().map(|text| text.parse().unwrap()).collect(),
        ..RunningLimits::default()
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_column_and_a_number_are_read_and_nothing_else() {
    let per: PerColumn = "Host = a= 20".parse().unwrap();
    assert_eq!((per.column.as_str(), per.most), ("Host = a", 20));
    for text in ["Site", "=3", "Site=0", "Site=-1", "Site=many", "Site="] {
        assert!(text.parse::<PerColumn>().is_err(), "{text}");
    }
}

#[test]
fn a_column_that_is_not_there_or_is_given_twice_is_refused_by_name() {
    let columns = names(&["os", "Site "]);
    assert_eq!(limits(&["site=1", "OS=2"]).find(&columns), Ok(vec![1, 0]));
    let unknown = limits(&["Town=1"]).find(&columns).unwrap_err().to_string();
    assert!(
        unknown.contains("Town") && unknown.contains("`os`, `Site `"),
        "{unknown}"
    );
    let twice = limits(&["site=1", "SITE=2"]).find(&columns).unwrap_err();
    assert_eq!(twice, ColumnError::Twice("SITE".to_owned()));
}

#[test]
fn machines_share_a_group_whatever_the_case_and_the_space_and_blank_ones_share_one() {
    let mut groups = Groups::new(&limits(&["site=1", "os=1"]), &names(&["os", "site"]));
    for (n, extra) in [
        (1, "w,Berlin"),
        (2, "l, berlin "),
        (3, "w,"),
        (4, "\"\",\" \""),
    ] {
        groups.add(n, extra);
    }
    let site = |n| groups.of(n).next();
    assert_eq!(site(1), site(2));
    assert_eq!(site(3), site(4));
    assert_ne!(site(1), site(3));
    assert_eq!(groups.largest(), [2, 2]);
    assert!(groups.blank().eq([true, true]));
}
