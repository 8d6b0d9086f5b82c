use serde_json::json;

use super::*;

#[test]
fn arguments_are_spelt_as_in_pytorch_beside_the_group() {
    let with = |arguments: Value| BatchNorm::default().with(&arguments);
    assert!(with(json!({ "group": 8, "momentum": 0.2, "running": "group" })).is_ok() && with(json!(16)).is_ok());
    for (arguments, said) in [
        (json!({ "groups": 8 }), "unknown field `groups`"),
        (json!({ "group": 0 }), "group = 0; give 1 to 65536"),
        (json!({ "eps": 0.0 }), "eps = 0"),
        (json!({ "momentum": 1.5 }), "momentum = 1.5"),
        (json!("x"), "takes a table"),
    ] {
        let text = with(arguments.clone()).unwrap_err();
        assert!(text.contains(said), "{arguments}: {text}");
    }
}
