import { expect, test } from "vitest";
import { proof } from "./loopback";

test("the proof is the one of the protocol's own example", () => {
  const salt = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=";
  const challenge = "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=";
  expect(proof("supersecretpassword", salt, challenge)).toBe("1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=");
});
