// A camera that feeds a socket: the next picture goes when the answer to the last has come, so
// that nothing queues up on a slow line or machine.

const LARGEST = 640; // pixels of the longer side

// What is asked of a camera: of a call fewer lines, for more cost time at both ends and tell no
// more of how a face moves.
export const ENROLLED = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" };
export const CALLED = { height: { ideal: 480 }, facingMode: "user" };

// wanted(): whether it still is, once there is a stream: people change their minds meanwhile.
export async function open(video, wish, audio = false, wanted = () => true) {
  if (!navigator.mediaDevices) throw new Error("This page needs https to use a camera.");
  const stream = await navigator.mediaDevices.getUserMedia({ video: wish, audio });
  if (!wanted()) {
    stop(stream);
    return null;
  }
  video.srcObject = stream;
  await video.play();
  return stream;
}

export function close(video) {
  stop(video.srcObject);
  video.srcObject = null;
}

const stop = (stream) => stream?.getTracks().forEach((track) => track.stop());

const canvas = document.createElement("canvas");

function jpeg(video) {
  const scale = Math.min(1, LARGEST / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
}

// heard(message): of each; true when the next picture may go.  ended(reason): when the server, or
// the line to it, has gone.
export function feed(video, socket, heard, ended) {
  const send = async () => {
    if (socket.readyState !== WebSocket.OPEN || !video.srcObject) return;
    const picture = await jpeg(video);
    if (socket.readyState === WebSocket.OPEN) socket.send(picture);
  };
  socket.addEventListener("open", send);
  socket.addEventListener("message", async (event) => {
    if (await heard(typeof event.data === "string" ? JSON.parse(event.data) : event.data)) send();
  });
  socket.addEventListener("close", (event) => {
    ended(event.reason || "The line to the server was lost.");
  });
}
