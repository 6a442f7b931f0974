//! What is done when the database file was deleted, replaced or overwritten while it is open.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlx::ConnectOptions as _;

use super::connections::{Access, Connections, on_disk, options};
use super::files::{Look, with_suffix};
use super::open::{identity, migrate, prepare};
use super::{During as _, SqliteStore};
use crate::store::{Healed, StoreError};

impl SqliteStore {
    /// Looks whether the files are still those that are open, and puts right what is not. Nothing that somebody put
    /// there is overwritten.
    pub(super) async fn heal(&self) -> Result<Healed, StoreError> {
        let old = self.connections();
        let look = old.look().await?;
        if look == Look::Same {
            self.gone.store(false, Ordering::Release);
            return Ok(Healed::Nothing);
        }
        // Made again by the next look: who deletes it may be about to end this program, or to put another one there.
        if look == Look::Gone && !self.gone.swap(true, Ordering::AcqRel) {
            return Err(StoreError::Changed { path: self.path.clone() });
        }
        // Nobody writes until this is done.
        let mut cache = self.cache.lock().await;
        let path = self.path.clone();
        tracing::warn!(path = %path.display(), ?look, "the database file was changed by somebody else");
        let healed = match look {
            Look::Same => Healed::Nothing,
            Look::Beside => {
                // What stands only in the log that is gone goes into the database first.
                old.checkpoint().await.during("write the log of the database into it")?;
                Healed::Restored
            }
            Look::Gone => {
                self.lock_again()?;
                let copy = temporary(&path);
                // Of an attempt that was interrupted.
                let _ = std::fs::remove_file(&copy);
                let copied = old.copy_to(&copy).await.during("copy the deleted database into a new file");
                let moved = match copied {
                    Ok(()) => self.put_in_place(&old, &copy).await,
                    Err(error) => Err(error),
                };
                moved.inspect_err(|_| drop(std::fs::remove_file(&copy)))?;
                Healed::Restored
            }
            Look::Replaced => {
                validate(&path).await?;
                self.forget_beside(&old).await?;
                Healed::Replaced
            }
            Look::Overwritten => {
                self.take_overwritten(&old).await?;
                Healed::Replaced
            }
        };
        if healed == Healed::Replaced {
            bring_up_to_date(&path).await?;
        }
        let new = Connections::open(&path).await?;
        self.set_connections(Arc::new(new));
        if healed == Healed::Replaced {
            self.generation.fetch_add(1, Ordering::Release);
        }
        self.gone.store(false, Ordering::Release);
        cache.forget();
        drop(cache);
        // Apart: a connection to a file that is gone may take its time.
        tokio::spawn(async move { old.close().await });
        Ok(healed)
    }

    /// The copy becomes the database, unless another file is there by now.
    async fn put_in_place(&self, old: &Connections, copy: &Path) -> Result<(), StoreError> {
        self.forget_beside(old).await?;
        let (path, from) = (self.path.clone(), copy.to_owned());
        let moved = on_disk(move || {
            // A link, because a rename would overwrite what somebody has just put there.
            match std::fs::hard_link(&from, &path) {
                Ok(()) => std::fs::remove_file(&from),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
                // Not every file system knows links.
                Err(_) => std::fs::rename(&from, &path),
            }
        });
        moved.await.map_err(|source| StoreError::NotWritable { path: self.path.clone(), source })
    }

    /// A file that was overwritten in place is still open here, and a last write of the old connections would spoil
    /// it: its contents move to a file of their own, which takes its name.
    async fn take_overwritten(&self, old: &Connections) -> Result<(), StoreError> {
        let (path, copy) = (self.path.clone(), temporary(&self.path));
        let failed = |source| StoreError::NotWritable { path: self.path.clone(), source };
        let (from, to) = (path.clone(), copy.clone());
        on_disk(move || std::fs::copy(&from, &to)).await.map_err(failed)?;
        let valid = validate(&copy).await;
        for suffix in ["-wal", "-shm"] {
            // Made by the look at the copy.
            let _ = std::fs::remove_file(with_suffix(&copy, suffix));
        }
        if let Err(error) = valid {
            let _ = std::fs::remove_file(&copy);
            return Err(error);
        }
        self.forget_beside(old).await?;
        on_disk(move || std::fs::rename(&copy, &path)).await.map_err(failed)
    }

    async fn forget_beside(&self, old: &Connections) -> Result<(), StoreError> {
        let files = Arc::clone(&old.files);
        let removed = on_disk(move || files.remove_beside()).await;
        removed.map_err(|source| StoreError::NotWritable { path: self.path.clone(), source })
    }

    /// The lock may be gone with the folder.
    fn lock_again(&self) -> Result<(), StoreError> {
        let mut lock = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if with_suffix(&self.path, ".lock").exists() {
            return Ok(());
        }
        *lock = Some(prepare(&self.path)?);
        Ok(())
    }
}

/// Whether a file is a database of a lab, and undamaged.
async fn validate(path: &Path) -> Result<(), StoreError> {
    let not_one = |source| StoreError::NotADatabase { path: path.to_owned(), source };
    let mut connection = options(path, Access::Read).connect().await.map_err(not_one)?;
    let check = "select quick_check from pragma_quick_check limit 1";
    let found: String = sqlx::query_scalar(check).fetch_one(&mut connection).await.map_err(not_one)?;
    if found != "ok" {
        return Err(not_one(sqlx::Error::Protocol(found)));
    }
    sqlx::query("select value from meta where key = 'identity'")
        .fetch_one(&mut connection)
        .await
        .map_err(not_one)?;
    Ok(())
}

/// A restored backup may be of an older version of this program.
async fn bring_up_to_date(path: &Path) -> Result<(), StoreError> {
    let pool = super::connections::pool(path, 1, Access::Write).await;
    let pool = pool.map_err(|source| super::open::open_error(path, source))?;
    let done = async {
        migrate(&pool, path).await?;
        identity(&pool).await.during("read the database's identity")
    };
    let done = done.await.map(drop);
    pool.close().await;
    done
}

fn temporary(path: &Path) -> PathBuf {
    with_suffix(path, ".restoring")
}
