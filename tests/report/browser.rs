//! Chromium without a window, which takes commands and gives answers through a pipe, in the words of
//! the Chrome DevTools Protocol (<https://chromedevtools.github.io/devtools-protocol/>).

use std::{
    cell::{Cell, RefCell},
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::skipped::skipped;

/// How long the browser may take for anything, however busy the machine; more is a hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// What it is called, and where macOS has it.
const NAMES: [&str; 7] = [
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    "chrome",
    "microsoft-edge-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
/// What it is started with. Root, as in a container, has no sandbox.
const OPTIONS: [&str; 7] = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--window-size=1200,1000",
    "--force-device-scale-factor=1",
    "--remote-debugging-pipe",
];
/// Messages come to descriptor 3 and leave by 4, each with a zero byte behind it.
const PIPES: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
/// What tells of words on the console.
const WORDS: [&str; 3] = ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"];

/// A running browser.
pub(crate) struct Browser {
    process: Child,
    commands: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    /// Events that came while an answer was waited for.
    events: RefCell<Vec<Value>>,
    last: Cell<u64>,
    _profile: TempDir,
}

/// A page that is open in it.
pub(crate) struct Page<'b> {
    browser: &'b Browser,
    session: String,
}

fn executable() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROME") {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.exists())
}

impl Browser {
    /// Starts one; none where the environment asks to go without.
    pub(crate) fn start() -> Option<Self> {
        if skipped("TORTOISE_SKIP_BROWSER") {
            return None;
        }
        let executable = executable().expect(
            "no Chromium to look with: `scripts/setup.sh tests` installs one, CHROME names another, \
             and TORTOISE_SKIP_BROWSER=1 goes without",
        );
        let profile = tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", PIPES])
            .arg(executable)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = RefCell::new(process.stdin.take().unwrap());
        let answers = BufReader::new(process.stdout.take().unwrap());
        let (send, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in answers.split(0) {
                let message = message.ok().and_then(|text| serde_json::from_slice(&text).ok());
                let Some(message) = message else { break };
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let (events, last) = (RefCell::default(), Cell::new(0));
        Some(Self { process, commands, messages, events, last, _profile: profile })
    }

    fn message(&self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("the browser is there, and answers in time")
    }

    /// The answer to a command, to the page of `session` if one is named.
    #[track_caller]
    fn command(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.last.get() + 1;
        self.last.set(id);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.commands.borrow_mut().write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let mut message = self.message();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.borrow_mut().push(message);
        }
    }

    /// Opens the file at `path`, and waits until all of it is loaded.
    #[track_caller]
    pub(crate) fn open(&self, path: &Path) -> Page<'_> {
        let target = self.command(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.command(None, "Target.attachToTarget", attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Log"] {
            page.command(&format!("{domain}.enable"), json!({}));
        }
        page.command("Page.navigate", json!({ "url": format!("file://{}", path.display()) }));
        while !page.has_heard("Page.loadEventFired") {
            let message = self.message();
            self.events.borrow_mut().push(message);
        }
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Page<'_> {
    #[track_caller]
    fn command(&self, method: &str, params: Value) -> Value {
        self.browser.command(Some(&self.session), method, params)
    }

    fn heard(&self, methods: &[&str]) -> Vec<Value> {
        let events = self.browser.events.borrow();
        let of_page = events.iter().filter(|event| event["sessionId"] == *self.session);
        let named = of_page.filter(|event| methods.iter().any(|name| event["method"] == *name));
        named.cloned().collect()
    }

    fn has_heard(&self, method: &str) -> bool {
        !self.heard(&[method]).is_empty()
    }

    /// What `script` comes to, once what was begun before is drawn.
    #[track_caller]
    pub(crate) fn js<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let script = format!(
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))\
             .then(() => JSON.stringify({script}))"
        );
        let wanted = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", wanted);
        let value = answer["result"]["value"].as_str();
        serde_json::from_str(value.unwrap_or_else(|| panic!("{script}: {answer}"))).unwrap()
    }

    fn mouse(&self, kind: &str, [x, y]: [f64; 2]) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
        self.command("Input.dispatchMouseEvent", event);
    }

    /// Moves the pointer there.
    pub(crate) fn point(&self, [x, y]: [f64; 2]) {
        self.mouse("mouseMoved", [x - 1.0, y]);
        self.mouse("mouseMoved", [x, y]);
    }

    /// Clicks on the middle of the first element that `selector` names.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let middle: [f64; 2] = self.js(&format!(
            "(() => {{ const at = document.querySelector(\"{selector}\"); \
             at.scrollIntoView({{ block: 'center' }}); const box = at.getBoundingClientRect(); \
             return [box.left + box.width / 2, box.top + box.height / 2]; }})()"
        ));
        self.point(middle);
        self.mouse("mousePressed", middle);
        self.mouse("mouseReleased", middle);
    }

    #[track_caller]
    pub(crate) fn says_nothing(&self) {
        assert_eq!(self.heard(&WORDS), Vec::<Value>::new());
    }
}
