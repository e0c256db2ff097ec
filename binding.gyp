{
  # The node-gyp entry. It describes no build of its own: scripts/build.mjs runs CMakeLists.txt, as cmake-js does.
  # (node-gyp compiles with -fno-rtti and an older C++ than LibTorch's headers need.)
  "targets": [
    {
      "target_name": "cxr_gaze",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "Building the addon through CMakeLists.txt",
          "inputs": ["CMakeLists.txt", "scripts/build.mjs"],
          # Never made, so the action runs each time: what is stale is for scripts/build.mjs to judge.
          "outputs": ["<(PRODUCT_DIR)/always"],
          "action": ["node", "scripts/build.mjs"]
        }
      ]
    }
  ]
}
