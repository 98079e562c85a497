# A second server of the MongoDB protocol, in memory. Sourced by .ci/services. Its launcher is in .ci/mongo-java; a stop forgets everything.
MONGO_JAVA=$CACHE/mongo-java-$(cat "$HERE"/mongo-java/* 2>/dev/null | sha256sum | cut -c1-12)

install_mongo_java() {
  local made=$MONGO_JAVA.part log=$STATE/mvn.log
  [ -d "$MONGO_JAVA" ] && return 0
  for tool in java javac mvn; do command -v "$tool" >/dev/null || { REASON="there is no $tool, which builds it"; return 1; }; done
  say 'getting mongo-java-server …'
  REASON='mvn could not get it'
  rm -rf "$made" && mkdir -p "$made/lib" "$made/classes" || return 1
  { mvn -q -B -f "$HERE/mongo-java/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$made/lib" &&
    javac -cp "$made/lib/*" -d "$made/classes" "$HERE/mongo-java/MongoJava.java"; } </dev/null 8>&- 9>&- >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
  mv "$made" "$MONGO_JAVA"
}

start_mongo_java() {
  local port; port=$(port_of mongo-java) || return 1
  is_up_mongo_java || launch mongo-java java -Xmx256m -cp "$MONGO_JAVA/lib/*:$MONGO_JAVA/classes" MongoJava "$port"
  await mongo-java is_up_mongo_java
}

is_up_mongo_java() { listens mongo-java "$(port_of mongo-java)"; }
stop_mongo_java() { end mongo-java TERM; }
kill_mongo_java() { kill_unit mongo-java; }
env_mongo_java() { echo "MONGO_JAVA_URL=mongodb://127.0.0.1:$(port_of mongo-java)/milepost?directConnection=true"; }
version_mongo_java() { basename "$MONGO_JAVA"/lib/mongo-java-server-[0-9]*.jar .jar; }
