//! `Engine` for JavaScript: methods for requests, one callback for events.

use std::path::PathBuf;
use std::sync::Arc;

use caisson_engine::{self as engine, Answer};
use caisson_sys::descriptor;
use napi::bindgen_prelude::{BigInt, Env, Function, Result};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::event::NativeEvent;
use crate::failure::NativeError;
use crate::host::thrown;
use crate::request::{CreateRequest, DestroyRequest};

/// One per module instance and environment. See docs/internal/native-face.md.
#[napi]
pub struct Engine {
    engine: Arc<engine::Engine>,
}

#[napi]
impl Engine {
    /// `onEvent` is called on the JavaScript thread and never keeps Node alive.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, helper: String, on_event: Function<'_, NativeEvent, ()>) -> Result<Self> {
        let callback = on_event
            .build_threadsafe_function::<NativeEvent>()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let sink = move |event: engine::Event| {
            let event = NativeEvent::from(event);
            let descriptors = event.descriptors();
            let status = callback.call(event, ThreadsafeFunctionCallMode::NonBlocking);
            if status != napi::Status::Ok {
                // The environment is closing: nothing else would close these.
                for number in descriptors {
                    drop(descriptor::inherited(number));
                }
            }
        };
        let engine = Arc::new(engine::Engine::new(PathBuf::from(helper), sink).map_err(thrown)?);
        // Attached containers end with the environment, including a worker's.
        env.add_env_cleanup_hook(Arc::clone(&engine), |engine| engine.close())?;
        Ok(Self { engine })
    }

    #[napi(catch_unwind)]
    pub fn create(&self, request: CreateRequest) -> u32 {
        self.engine.create(request.into())
    }

    /// Undoes the create of `token`, which then fails.
    #[napi(catch_unwind)]
    pub fn cancel(&self, token: u32) {
        self.engine.cancel(token);
    }

    #[napi(catch_unwind)]
    pub fn start(&self, root: String, id: String) -> u32 {
        self.engine.start(PathBuf::from(root), id)
    }

    #[napi(catch_unwind)]
    pub fn destroy(&self, request: DestroyRequest) -> u32 {
        self.engine.destroy(request.into())
    }

    #[napi(catch_unwind)]
    pub fn watch(&self, root: String, id: String) -> u32 {
        self.engine.watch(PathBuf::from(root), id)
    }

    /// Reports the end of any process, of this start time, as an exit without a status; replies as `watch` does.
    #[napi(catch_unwind)]
    pub fn watch_process(&self, pid: i32, start_time: String) -> u32 {
        self.engine.watch_process(pid, start_time)
    }

    /// Copies bytes between the pty master and descriptors 0 and 1 until the program has ended, then replies.
    #[napi(catch_unwind)]
    pub fn proxy_terminal(&self, master: i32, handle: Option<i64>) -> u32 {
        self.engine.proxy_terminal(master, handle.map(i64::cast_unsigned))
    }

    /// Answers a system call: with an errno, a value, or (neither) its execution.
    #[napi(catch_unwind)]
    pub fn answer_syscall(
        &self,
        handle: i64,
        id: BigInt,
        errno: Option<i32>,
        value: Option<BigInt>,
    ) -> Option<NativeError> {
        let answer = match (errno, value) {
            (Some(errno), _) => Answer::Errno(errno),
            (None, Some(value)) => Answer::Value(value.get_i64().0),
            (None, None) => Answer::Continue,
        };
        self.engine.answer(handle.cast_unsigned(), id.get_u64().1, answer).err().map(Into::into)
    }

    /// Reads at most `length` bytes of the memory of a process that waits in a system call.
    #[napi(catch_unwind)]
    pub fn read_memory(&self, handle: i64, id: BigInt, pid: i32, address: BigInt, length: u32) -> u32 {
        let (call, address) = ((id.get_u64().1, pid), address.get_u64().1);
        self.engine.read_memory(handle.cast_unsigned(), call, address, length as usize)
    }

    #[napi(catch_unwind)]
    pub fn release(&self, handle: i64) {
        self.engine.release(handle.cast_unsigned());
    }

    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.engine.close();
    }
}
