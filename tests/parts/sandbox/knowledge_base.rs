//! Articles of the knowledge base, and their folders.

use serde_json::{Value, json};

use super::wire::{TestSandbox, ids};

#[tokio::test]
async fn an_article_is_found_in_the_folder_of_its_path() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let article = json!([{
        "name": "Reset a badge", "organizationId": 2, "destinationFolderPath": "Surgeries/Doors",
        "content": {"html": "<b>Ask.</b>", "text": "Ask."},
    }]);
    let (status, made) = sandbox
        .write(&token, "POST", "/v2/knowledgebase/articles", &article)
        .await;
    assert_eq!((status, &made[0]["path"]), (200, &json!("Surgeries/Doors")));
    let id = made[0]["id"].as_u64().unwrap();
    let target = "/v2/knowledgebase/folder?folderPath=Surgeries%2FDoors&organizationId=2";
    let folder = sandbox.get(&token, target).await.json();
    assert_eq!(ids(&folder["content"]), [id]);
    let above = format!("/v2/knowledgebase/folder/{}", folder["parentFolderId"]);
    assert_eq!(
        sandbox.get(&token, &above).await.json()["name"],
        "Surgeries"
    );

    let change = json!([{"id": id, "name": "Renew a badge"}]);
    sandbox
        .write(&token, "PATCH", "/v2/knowledgebase/articles", &change)
        .await;
    let target = format!("/v2/knowledgebase/article/{id}");
    let read = sandbox.get(&token, &target).await.json();
    assert_eq!(
        (&read["name"], &read["content"]["text"]),
        (&json!("Renew a badge"), &json!("Ask."))
    );
    let global = format!("/v2/knowledgebase/global/article/{id}");
    assert_eq!(sandbox.get(&token, &global).await.status, 404);
    let nowhere = "/v2/knowledgebase/folder?folderPath=Nowhere";
    assert_eq!(sandbox.get(&token, nowhere).await.status, 404);
}

#[tokio::test]
async fn archived_articles_are_listed_on_request_and_a_folder_takes_its_articles_with_it() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let list = "/v2/knowledgebase/organization/articles?organizationIds=2";
    assert_eq!(ids(&sandbox.get(&token, list).await.json()), [1, 5]);
    let all = format!("{list}&includeArchived=true");
    assert_eq!(ids(&sandbox.get(&token, &all).await.json()), [1, 5, 6]);
    let target = "/v2/knowledgebase/folders/delete";
    let (status, _) = sandbox.write(&token, "POST", target, &json!([3, 99])).await;
    assert_eq!(status, 400);
    let (status, _) = sandbox.write(&token, "POST", target, &json!([3])).await;
    assert_eq!(status, 204);
    assert_eq!(sandbox.get(&token, &all).await.json(), json!([]));
}

#[tokio::test]
async fn a_folder_moves_but_not_into_itself() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/knowledgebase/folders/move";
    let body = json!({"folderIds": [1], "documentIds": [3], "destinationFolderId": 2});
    let (status, _) = sandbox.write(&token, "PATCH", target, &body).await;
    assert_eq!(status, 204);
    let folder = sandbox.get(&token, "/v2/knowledgebase/folder/1").await;
    assert_eq!(folder.json()["parentFolderId"], Value::Null);
    let article = sandbox.get(&token, "/v2/knowledgebase/article/3").await;
    assert_eq!(article.json()["path"], "How to/Remote work");
}

#[tokio::test]
async fn an_uploaded_article_is_downloaded_as_the_same_file() {
    let sandbox = TestSandbox::strict();
    let token = sandbox.token().await;
    let target = "/v2/knowledgebase/articles/upload";
    let part = "name=\"files\"; filename=\"plan.txt\"";
    let made = sandbox
        .upload(&token, target, part, "left, then right")
        .await;
    assert_eq!(made.status, 200);
    let made = made.json();
    assert_eq!(made[0]["attachments"][0]["metadata"]["name"], "plan.txt");
    let target = format!("/v2/knowledgebase/article/{}/download", made[0]["id"]);
    let file = sandbox.get(&token, &target).await;
    assert_eq!((file.status, &*file.body), (200, &b"left, then right"[..]));
    assert_eq!(
        file.header("content-disposition"),
        Some("attachment; filename=\"plan.txt\"")
    );
    let unknown = "/v2/knowledgebase/article/999/download";
    assert_eq!(sandbox.get(&token, unknown).await.status, 404);
}
